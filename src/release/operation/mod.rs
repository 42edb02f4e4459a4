//! The operation in progress: one small Secret `flink.operation.v1.<release>`, lock and journal at once.
//!
//! Every write is a compare-and-swap on its resource version, so who has lost the lock cannot write the journal either.
//! Expiry is written in the API server's time (its `Date`), on which all machines agree; our own view of how long we hold
//! it is counted with a clock that goes on while the machine sleeps, from before the request was sent. The lock fences
//! the record, not Flink: before each request that changes something, write again and see [`Lock::outlasts`].

mod place;

use super::ReleaseError;
use super::store::Store;
use crate::cluster::ClusterError;
use crate::cluster::clock::{Moment, ServerClock};
use jiff::Timestamp;
use place::{Draft, EXPIRY, Place, Version, Written, is_expired};
use serde::Serialize;
use serde_json::Value;
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
    /// Somebody else is at work.
    #[error("release {release} is being changed by {holder} since {since}; try again when that has ended")]
    Held {
        /// The release.
        release: String,
        /// Who.
        holder: String,
        /// Since when.
        since: Timestamp,
        /// When the lock ends unless it is renewed, in the API server's time.
        expires: Timestamp,
    },
    /// An operation that had begun was left: its process died.
    #[error("an operation on release {}, begun by {} at {}, was left unfinished", .0.release, .0.holder, .0.since)]
    LeftBehind(Box<LeftBehind>),
    /// Somebody else took the lock; what was to be written was not.
    #[error("the lock on release {release} was lost{}", to(.holder.as_deref()))]
    Lost {
        /// The release.
        release: String,
        /// Who has it now; `None` where nobody has.
        holder: Option<String>,
    },
    /// The API server could not be reached, or said no; or the object cannot be read.
    #[error(transparent)]
    Release(#[from] ReleaseError),
}

/// An operation whose process died.
#[derive(Clone, Debug)]
pub struct LeftBehind {
    /// The release.
    pub release: String,
    /// Who.
    pub holder: String,
    /// Since when.
    pub since: Timestamp,
    /// What it had written down.
    pub journal: Value,
    /// What [`Lock::take_over`] needs.
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
    /// Who.
    pub holder: String,
    /// Since when.
    pub since: Timestamp,
    /// When the lock ends unless it is renewed.
    pub expires: Timestamp,
    /// Whether it has ended: nobody renews it.
    pub expired: bool,
    /// Counts the writes.
    pub epoch: u64,
    /// What it has written down.
    pub journal: Value,
}

/// The operation in progress on a release; `None` where there is none.
pub async fn in_progress(store: &Store, release: &str) -> Result<Option<InProgress>, LockError> {
    let place = Place::new(store, release);
    Ok(place.read().await?.map(|(content, _, clock)| InProgress {
        expired: is_expired(&content, clock),
        holder: content.holder,
        since: content.since,
        expires: content.expires,
        epoch: content.epoch,
        journal: content.journal,
    }))
}

/// The lock on a release, held and renewed until it is released or dropped. Dropped, it stays behind with its journal.
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
    /// Whether a request that is sent now and has this long to take effect takes it while the lock is ours. Writes the
    /// object again, a new epoch, unless that was done just now.
    pub async fn confirm(&self, deadline: Duration) -> Result<(), LockError> {
        let remaining = || self.shared.valid_until().since(Moment::now());
        // A lock that has nearly its whole time left was written a moment ago, and nobody takes it before it expires.
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
    journal: Value,
    ownership: Ownership,
}

enum Ownership {
    Ours,
    Lost { to: Option<String> },
}

impl Lock {
    /// Takes the lock and writes the journal. An expired operation is taken over only where its journal says
    /// `begun: false`; one that had begun is [`LockError::LeftBehind`].
    pub async fn acquire<J: Serialize + Sync>(
        store: &Store,
        release: &str,
        holder: &str,
        journal: &J,
    ) -> Result<Self, LockError> {
        let place = Place::new(store, release);
        let journal = to_value(journal)?;
        let token = token();
        for _ in 0..ATTEMPTS {
            let (found, clock) = place.look().await?;
            let Some((content, version)) = found else {
                let draft = Draft::new(holder, &token, clock, None, 1, &journal)?;
                match place.create(&draft).await {
                    Ok(written) => return Ok(Self::start(store, place, draft, written, journal)),
                    Err(error) if error.is_conflict() || error.is_uncertain() => {
                        if let Some((content, version, clock)) = place.read().await?
                            && content.token == token
                        {
                            let written = Written { version, clock: Some(clock) };
                            return Ok(Self::start(store, place, draft, written, journal));
                        }
                        continue;
                    }
                    Err(error) => return Err(error.into()),
                }
            };
            if !is_expired(&content, place::clock_of(clock)) {
                return Err(LockError::Held {
                    release: release.to_owned(),
                    holder: content.holder,
                    since: content.since,
                    expires: content.expires,
                });
            }
            let claim = Claim { version, epoch: content.epoch };
            // What cannot be read as `false` counts as begun: that is the side where nothing is lost.
            if content.journal.get("begun") != Some(&Value::Bool(false)) {
                return Err(LockError::LeftBehind(Box::new(LeftBehind {
                    release: release.to_owned(),
                    holder: content.holder,
                    since: content.since,
                    journal: content.journal,
                    claim,
                })));
            }
            match Self::take_over(store, release, holder, &claim, &journal).await {
                Err(LockError::Lost { .. }) => {}
                result => return result,
            }
        }
        Err(LockError::Lost { release: release.to_owned(), holder: None })
    }

    /// Takes over an operation that was left behind, exactly as it was seen, to complete or undo it. The journal is the
    /// one to go on with.
    pub async fn take_over<J: Serialize + Sync>(
        store: &Store,
        release: &str,
        holder: &str,
        claim: &Claim,
        journal: &J,
    ) -> Result<Self, LockError> {
        let place = Place::new(store, release);
        let journal = to_value(journal)?;
        let (_, clock) = place.look().await?;
        let draft = Draft::new(holder, &token(), clock, None, claim.epoch + 1, &journal)?;
        match place.replace(&draft, &claim.version).await {
            Ok(written) => Ok(Self::start(store, place, draft, written, journal)),
            Err(error) => match place.read().await? {
                Some((content, version, clock)) if content.token == draft.content.token => {
                    let written = Written { version, clock: Some(clock) };
                    Ok(Self::start(store, place, draft, written, journal))
                }
                Some((content, ..)) if error.is_conflict() => {
                    Err(LockError::Lost { release: release.to_owned(), holder: Some(content.holder) })
                }
                None => Err(LockError::Lost { release: release.to_owned(), holder: None }),
                Some(_) => Err(error.into()),
            },
        }
    }

    fn start(store: &Store, place: Place, draft: Draft, written: Written, journal: Value) -> Self {
        let shared = Arc::new(Shared {
            place,
            holder: draft.content.holder,
            token: draft.content.token,
            since: draft.content.since,
            state: Mutex::new(State {
                version: written.version,
                epoch: draft.content.epoch,
                clock: written.clock,
                journal,
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

    /// Writes the journal under a new epoch. An error means that it is not written, or not known to be; after
    /// [`LockError::Lost`] nothing may be changed any more.
    pub async fn write<J: Serialize + Sync>(&self, journal: &J) -> Result<(), LockError> {
        self.shared.write(Some(to_value(journal)?)).await
    }

    /// A handle for whoever must prove, before a request, that the lock is still ours.
    pub fn guard(&self) -> Guard {
        Guard { shared: self.shared.clone() }
    }

    /// How long the lock is certainly still ours, by a clock that counts sleep.
    pub fn remaining(&self) -> Duration {
        self.shared.valid_until().since(Moment::now())
    }

    /// Whether a request of this deadline, sent now, ends while the lock is ours.
    pub fn outlasts(&self, deadline: Duration) -> bool {
        self.remaining() > deadline
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
            // The version we know may be one behind, where the answer of a renewal was lost; or this answer was.
            Err(error) if error.is_conflict() || error.is_uncertain() => {
                match self.shared.place.read().await? {
                    Some((content, version, _)) if content.token == self.shared.token => {
                        Ok(self.shared.place.delete(&version).await?)
                    }
                    Some((content, ..)) => Err(self.shared.lost(Some(content.holder))),
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

    /// Writes the journal, or only renews. Where the answer is lost the object says what happened.
    async fn write(&self, journal: Option<Value>) -> Result<(), LockError> {
        let mut state = self.state.lock().await;
        if let Ownership::Lost { to } = &state.ownership {
            return Err(self.lost(to.clone()));
        }
        let journal = journal.unwrap_or_else(|| state.journal.clone());
        let mut attempt = 1;
        loop {
            let draft = Draft::new(
                &self.holder,
                &self.token,
                state.clock,
                Some(self.since),
                state.epoch + 1,
                &journal,
            )?;
            let error = match self.place.replace(&draft, &state.version).await {
                Ok(written) => {
                    state.version = written.version;
                    state.clock = written.clock.or(state.clock);
                    state.epoch = draft.content.epoch;
                    state.journal = journal;
                    self.set_valid_until(draft.at.plus(EXPIRY));
                    return Ok(());
                }
                Err(error) => error,
            };
            if error.is_conflict() || error.is_uncertain() || error.is_not_found() {
                match self.place.read().await? {
                    Some((content, version, _)) if content.token == self.token => {
                        state.version = version;
                        if content.epoch == draft.content.epoch {
                            state.epoch = content.epoch;
                            state.journal = journal;
                            self.set_valid_until(draft.at.plus(EXPIRY));
                            return Ok(());
                        }
                    }
                    other => {
                        let holder = other.map(|(content, ..)| content.holder);
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

fn to_value<J: Serialize>(journal: &J) -> Result<Value, ReleaseError> {
    serde_json::to_value(journal).map_err(|error| ReleaseError::Journal { reason: error.to_string() })
}

/// 128 random bits: the keys of std's hash maps are seeded by the operating system.
fn token() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{self, Fault, Secrets};
    use super::*;
    use serde_json::json;

    type Server = Arc<std::sync::Mutex<Secrets>>;

    fn store() -> (Store, Server) {
        let (cluster, _, secrets) = testing::cluster();
        (Store::new(&cluster, "team"), secrets)
    }

    fn begun(begun: bool) -> Value {
        json!({"begun": begun})
    }

    /// The server's clock goes on by a minute.
    fn a_minute_later(secrets: &Server) {
        secrets.lock().unwrap().date = "Fri, 02 Jan 2026 03:05:05 GMT".to_owned();
    }

    async fn acquire(store: &Store, holder: &str, journal: &Value) -> Result<Lock, LockError> {
        Lock::acquire(store, "demo", holder, journal).await
    }

    #[tokio::test]
    async fn times_are_the_servers() {
        let (store, secrets) = store();
        let _lock = acquire(&store, "one", &begun(false)).await.unwrap();
        let error = acquire(&store, "two", &begun(false)).await.unwrap_err().to_string();
        assert!(
            error.starts_with("release demo is being changed by one since 2026-01-02T03:04:05"),
            "{error}"
        );
        a_minute_later(&secrets);
        acquire(&store, "two", &begun(false)).await.unwrap();
    }

    #[tokio::test]
    async fn an_operation_without_a_readable_begun_counts_as_begun() {
        for journal in [json!({}), json!({"begun": "false"}), json!(null), begun(true)] {
            let (store, secrets) = store();
            drop(acquire(&store, "one", &journal).await.unwrap());
            a_minute_later(&secrets);
            let error = acquire(&store, "two", &begun(false)).await.unwrap_err();
            assert!(matches!(error, LockError::LeftBehind(_)), "{journal}: {error}");
        }
    }

    #[tokio::test]
    async fn a_lost_answer_to_the_first_write_is_looked_up() {
        for (fault, epoch) in [(Fault::AnswerLost, 1), (Fault::RequestLost, 1)] {
            let (store, secrets) = store();
            secrets.lock().unwrap().fault = Some(fault);
            let lock = acquire(&store, "one", &begun(false)).await.unwrap();
            assert_eq!(in_progress(&store, "demo").await.unwrap().unwrap().epoch, epoch, "{fault:?}");
            lock.write(&begun(true)).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_lost_answer_to_a_later_write_is_looked_up_and_a_lost_write_repeated() {
        for fault in [Fault::AnswerLost, Fault::RequestLost] {
            let (store, secrets) = store();
            let lock = acquire(&store, "one", &begun(false)).await.unwrap();
            secrets.lock().unwrap().fault = Some(fault);
            lock.write(&json!({"begun": true, "step": 1})).await.unwrap();
            let seen = in_progress(&store, "demo").await.unwrap().unwrap();
            assert_eq!((seen.epoch, seen.journal["step"].as_i64()), (2, Some(1)), "{fault:?}");
            secrets.lock().unwrap().fault = Some(fault);
            lock.write(&json!({"begun": true, "step": 2})).await.unwrap();
            secrets.lock().unwrap().fault = Some(Fault::AnswerLost);
            lock.release().await.unwrap();
            assert!(in_progress(&store, "demo").await.unwrap().is_none(), "{fault:?}");
        }
    }

    #[tokio::test]
    async fn a_taking_over_whose_answer_is_lost_is_ours_all_the_same() {
        let (store, secrets) = store();
        drop(acquire(&store, "one", &begun(true)).await.unwrap());
        a_minute_later(&secrets);
        let Err(LockError::LeftBehind(left)) = acquire(&store, "two", &begun(false)).await else { panic!() };
        secrets.lock().unwrap().fault = Some(Fault::AnswerLost);
        let lock = Lock::take_over(&store, "demo", "two", &left.claim, &left.journal).await.unwrap();
        lock.write(&begun(true)).await.unwrap();
    }

    #[tokio::test]
    async fn it_is_renewed_by_itself_and_keeps_the_journal() {
        let (mut store, secrets) = store();
        store.renew_every = Duration::from_millis(10);
        let lock = acquire(&store, "one", &json!({"begun": true, "step": 1})).await.unwrap();
        secrets.lock().unwrap().fault = Some(Fault::RequestLost);
        let end = Moment::now().plus(Duration::from_secs(30));
        loop {
            let seen = in_progress(&store, "demo").await.unwrap().unwrap();
            assert_eq!(seen.journal["step"], 1);
            if seen.epoch > 3 {
                break;
            }
            assert!(Moment::now() < end, "not renewed");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        lock.release().await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(secrets.lock().unwrap().all.is_empty());
    }

    #[tokio::test]
    async fn a_lock_that_somebody_removed_is_lost() {
        let (store, secrets) = store();
        let lock = acquire(&store, "one", &begun(true)).await.unwrap();
        assert!(lock.outlasts(Duration::from_secs(20)));
        secrets.lock().unwrap().all.clear();
        for _ in 0..2 {
            let error = lock.write(&begun(true)).await.unwrap_err();
            assert_eq!(error.to_string(), "the lock on release demo was lost");
        }
        assert!(!lock.outlasts(Duration::ZERO));
        assert!(secrets.lock().unwrap().all.is_empty());
    }
}
