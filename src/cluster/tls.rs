//! The one TLS provider of the process: ring.

use std::sync::Once;

/// Makes ring the provider of TLS. Every constructor of a client calls it first: without a provider
/// rustls panics. Calling it again does nothing; a provider that another client installed stays.
pub fn init() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error means that a provider is there already, which is all that is wanted.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}
