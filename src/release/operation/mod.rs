//! The operation in progress: one small Secret `flink.operation.v1.<release>`, lock and journal at
//! once.
//!
//! Every write is a compare-and-swap on its resource version, so who has lost the lock cannot write
//! the journal either. Expiry is written in the API server's time (its `Date`), on which all
//! machines agree; our own view of how long we hold it is counted with a clock that goes on while
//! the machine sleeps, from before the request was sent. The lock fences the record, not Flink:
//! before each request that changes something, write again and see [`Guard::confirm`].

mod pending;
mod place;

pub use pending::{Disposing, Pending, Taking};

use super::ReleaseError;
use super::store::Store;
use crate::cluster::ClusterError;
use crate::cluster::clock::{Moment, ServerClock};
use jiff::Timestamp;
use place::{Draft, EXPIRY, Packed, Place, Version, Written, is_expired};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// Where a renewal failed, the next one comes sooner.
const RENEW_AGAIN: Duration = Duration::from_secs(2);
const ATTEMPTS: usize = 3;
/// A write so long ago is as good as a new one: the lock outlasts it by far.
const JUST_NOW: Duration = Duration::from_secs(2);

/// The lock could not be had, or is no longer ours.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another client is at work.
    #[error("release {release} is being changed by {holder} since {since}; try again when that has ended")]
    Held {
        release: String,
        holder: String,
        since: Timestamp,
        /// When the lock ends unless it is renewed, in the API server's time.
        expires: Timestamp,
    },
    /// An operation that had begun was left: its process died.
    #[error("an operation on release {}, begun by {} at {}, was left unfinished", .0.release, .0.holder, .0.since)]
    LeftBehind(Box<LeftBehind>),
    /// Another client took the lock; what was to be written was not.
    #[error("the lock on release {release} was lost{}", to(.holder.as_deref()))]
    Lost {
        release: String,
        /// The holder; `None` where nobody has it.
        holder: Option<String>,
    },
    /// The API server could not be reached, or said no; or the object cannot be read.
    #[error(transparent)]
    Release(#[from] ReleaseError),
}

/// An operation whose process died.
#[derive(Clone, Debug)]
pub struct LeftBehind {
    pub release: String,
    pub holder: String,
    pub since: Timestamp,
    /// The pending operation that it had recorded; `None` where that cannot be read.
    pub pending: Option<Pending>,
    pub claim: Claim,
}

impl From<ClusterError> for LockError {
    fn from(error: ClusterError) -> Self {
        Self::Release(error.into())
    }
}

fn to(holder: Option<&str>) -> String {
    holder.map(|holder| format!(" to {holder}")).unwrap_or_default()
}

/// The very state of an operation that was seen; taking it over fails where it changed since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    version: Version,
    epoch: u64,
}

/// An operation as others see it.
#[derive(Clone, Debug)]
pub struct InProgress {
    pub holder: String,
    pub since: Timestamp,
    /// When the lock ends unless it is renewed.
    pub expires: Timestamp,
    /// Ended: nobody renews it.
    pub expired: bool,
    pub epoch: u64,
    /// The pending operation that it has recorded; `None` where that cannot be read.
    pub pending: Option<Pending>,
}

/// The operation in progress on a release; `None` where there is none.
pub async fn in_progress(store: &Store, release: &str) -> Result<Option<InProgress>, LockError> {
    let place = Place::new(store, release);
    Ok(place.read().await?.map(|(found, clock)| InProgress {
        expired: is_expired(&found.content, clock),
        holder: found.content.holder,
        since: found.content.since,
        expires: found.content.expires,
        epoch: found.content.epoch,
        pending: found.pending,
    }))
}

/// The lock on a release, held and renewed until it is released or dropped. Dropped, it stays
/// behind with its journal.
pub struct Lock {
    shared: Arc<Shared>,
    renewal: tokio::task::JoinHandle<()>,
}

impl std::fmt::Debug for Lock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lock").field("release", &self.shared.place.release).finish_non_exhaustive()
    }
}

/// Proves that the lock is ours.
#[derive(Clone)]
pub struct Guard {
    shared: Arc<Shared>,
}

impl Guard {
    /// Returns whether a request that is sent now and has this long to take effect takes it while
    /// the lock is ours. Writes the object again, a new epoch, unless that was done just now.
    pub async fn confirm(&self, deadline: Duration) -> Result<(), LockError> {
        let remaining = || self.shared.valid_until().since(Moment::now());
        // A lock that has nearly its whole time left was written a moment ago, and nobody takes it
        // before it expires.
        if remaining() + JUST_NOW < EXPIRY {
            self.shared.write(None).await?;
        }
        if remaining() > deadline { Ok(()) } else { Err(self.shared.lost(None)) }
    }
}

struct Shared {
    place: Place,
    holder: String,
    token: String,
    since: Timestamp,
    state: Mutex<State>,
    /// Beside the state, so that it can be asked while a write is under way.
    valid_until: std::sync::Mutex<Moment>,
}

struct State {
    version: Version,
    epoch: u64,
    clock: Option<ServerClock>,
    pending: Packed,
    ownership: Ownership,
}

enum Ownership {
    Ours,
    Lost { to: Option<String> },
}

impl Lock {
    /// Takes the lock and writes what is pending. An expired operation is taken over only where it
    /// had not begun ([`Pending::has_begun`]); one that had, or of which that cannot be read, is
    /// [`LockError::LeftBehind`].
    pub async fn acquire(
        store: &Store,
        release: &str,
        holder: &str,
        pending: &Pending,
    ) -> Result<Self, LockError> {
        let place = Place::new(store, release);
        let packed = Packed::new(release, pending)?;
        let token = token();
        let mut sent = None;
        for _ in 0..ATTEMPTS {
            let (found, clock) = place.look().await?;
            let Some(found) = found else {
                let draft = Draft::new(&place, (holder, &token), clock, None, 1, &packed)?;
                match place.create(&draft).await {
                    Ok(written) => return Ok(Self::start(store, place, draft, written)),
                    Err(error) if error.is_conflict() || error.is_uncertain() => {
                        sent.get_or_insert(draft); // the next look says whether it was carried out
                        continue;
                    }
                    Err(error) => return Err(error.into()),
                }
            };
            let content = found.content;
            if let Some(draft) = sent.take_if(|_| content.token == token) {
                let written = Written { version: found.version, clock: Some(place::clock_of(clock)) };
                return Ok(Self::start(store, place, draft, written));
            }
            if !is_expired(&content, place::clock_of(clock)) {
                return Err(LockError::Held {
                    release: release.to_owned(),
                    holder: content.holder,
                    since: content.since,
                    expires: content.expires,
                });
            }
            let claim = Claim { version: found.version, epoch: content.epoch };
            // What cannot be read counts as begun: that is the side where nothing is lost.
            if found.pending.as_ref().is_none_or(Pending::has_begun) {
                return Err(LockError::LeftBehind(Box::new(LeftBehind {
                    release: release.to_owned(),
                    holder: content.holder,
                    since: content.since,
                    pending: found.pending,
                    claim,
                })));
            }
            match Self::take_over(store, release, holder, &claim, pending).await {
                Err(LockError::Lost { .. }) => {}
                result => return result,
            }
        }
        Err(LockError::Lost { release: release.to_owned(), holder: None })
    }

    /// Takes over an operation that was left behind, exactly as it was seen, to complete or undo
    /// it. What is pending is what to go on with.
    pub async fn take_over(
        store: &Store,
        release: &str,
        holder: &str,
        claim: &Claim,
        pending: &Pending,
    ) -> Result<Self, LockError> {
        let place = Place::new(store, release);
        let packed = Packed::new(release, pending)?;
        let (_, clock) = place.look().await?;
        let draft = Draft::new(&place, (holder, &token()), clock, None, claim.epoch + 1, &packed)?;
        match place.replace(&draft, &claim.version).await {
            Ok(written) => Ok(Self::start(store, place, draft, written)),
            Err(error) => match place.read().await? {
                Some((found, clock)) if found.content.token == draft.content.token => {
                    let written = Written { version: found.version, clock: Some(clock) };
                    Ok(Self::start(store, place, draft, written))
                }
                Some((found, _)) if error.is_conflict() => {
                    Err(LockError::Lost { release: release.to_owned(), holder: Some(found.content.holder) })
                }
                None => Err(LockError::Lost { release: release.to_owned(), holder: None }),
                Some(_) => Err(error.into()),
            },
        }
    }

    fn start(store: &Store, place: Place, draft: Draft, written: Written) -> Self {
        let shared = Arc::new(Shared {
            place,
            holder: draft.content.holder,
            token: draft.content.token,
            since: draft.content.since,
            state: Mutex::new(State {
                version: written.version,
                epoch: draft.content.epoch,
                clock: written.clock,
                pending: draft.pending,
                ownership: Ownership::Ours,
            }),
            valid_until: std::sync::Mutex::new(draft.at.plus(EXPIRY)),
        });
        let renewed = shared.clone();
        let (every, again) = (store.renew_every, RENEW_AGAIN.min(store.renew_every));
        let renewal = tokio::spawn(async move {
            let mut pause = every;
            loop {
                tokio::time::sleep(pause).await;
                pause = match renewed.write(None).await {
                    Ok(()) => every,
                    Err(LockError::Lost { .. }) => return,
                    Err(error) => {
                        tracing::warn!(%error, "the lock could not be renewed");
                        again
                    }
                };
            }
        });
        Self { shared, renewal }
    }

    /// Writes what is pending under a new epoch. An error means that it is not written, or not
    /// known to be; after [`LockError::Lost`] nothing may be changed any more.
    pub async fn write(&self, pending: &Pending) -> Result<(), LockError> {
        self.shared.write(Some(Packed::new(&self.shared.place.release, pending)?)).await
    }

    /// A handle for who must prove, before a request, that the lock is still ours.
    pub fn guard(&self) -> Guard {
        Guard { shared: self.shared.clone() }
    }

    /// Ends the operation: removes the lock with its journal.
    pub async fn release(self) -> Result<(), LockError> {
        self.renewal.abort();
        let state = self.shared.state.lock().await;
        if let Ownership::Lost { to } = &state.ownership {
            return Err(self.shared.lost(to.clone()));
        }
        match self.shared.place.delete(&state.version).await {
            Ok(()) => Ok(()),
            // The version we know may be one behind, where the answer of a renewal was lost; or
            // this answer was.
            Err(error) if error.is_conflict() || error.is_uncertain() => {
                match self.shared.place.read().await? {
                    Some((found, _)) if found.content.token == self.shared.token => {
                        Ok(self.shared.place.delete(&found.version).await?)
                    }
                    Some((found, _)) => Err(self.shared.lost(Some(found.content.holder))),
                    None => Ok(()),
                }
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

impl Shared {
    fn lost(&self, holder: Option<String>) -> LockError {
        LockError::Lost { release: self.place.release.clone(), holder }
    }

    fn valid_until(&self) -> Moment {
        *self.valid_until.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn set_valid_until(&self, moment: Moment) {
        *self.valid_until.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = moment;
    }

    /// Writes what is pending, or only renews. Where the answer is lost the object says what
    /// happened.
    async fn write(&self, pending: Option<Packed>) -> Result<(), LockError> {
        let mut state = self.state.lock().await;
        if let Ownership::Lost { to } = &state.ownership {
            return Err(self.lost(to.clone()));
        }
        let pending = pending.unwrap_or_else(|| state.pending.clone());
        // An epoch for each call, even for one that fails: what an earlier call wrote after all is
        // not taken for what this one was to write.
        state.epoch += 1;
        let mut first = None;
        let mut attempt = 1;
        loop {
            let draft = Draft::new(
                &self.place,
                (&self.holder, &self.token),
                state.clock,
                Some(self.since),
                state.epoch,
                &pending,
            )?;
            let first = *first.get_or_insert(draft.at);
            let error = match self.place.replace(&draft, &state.version).await {
                Ok(written) => {
                    state.version = written.version;
                    state.clock = written.clock.or(state.clock);
                    state.pending = pending;
                    self.set_valid_until(draft.at.plus(EXPIRY));
                    return Ok(());
                }
                Err(error) => error,
            };
            if error.is_conflict() || error.is_uncertain() || error.is_not_found() {
                match self.place.read().await? {
                    Some((found, _)) if found.content.token == self.token => {
                        state.version = found.version;
                        if found.content.epoch == draft.content.epoch {
                            state.pending = pending;
                            self.set_valid_until(first.plus(EXPIRY)); // of whichever attempt it is
                            return Ok(());
                        }
                    }
                    other => {
                        let holder = other.map(|(found, _)| found.content.holder);
                        state.ownership = Ownership::Lost { to: holder.clone() };
                        self.set_valid_until(Moment::now());
                        return Err(self.lost(holder));
                    }
                }
            }
            if attempt == ATTEMPTS {
                return Err(error.into());
            }
            attempt += 1;
        }
    }
}

/// 128 random bits: the keys of std's hash maps are seeded by the operating system.
fn token() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
}

#[cfg(test)]
mod tests;
