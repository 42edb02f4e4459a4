//! The one TLS provider of the process.

use std::sync::Once;

/// Makes `ring` the provider of rustls, once. Without it reqwest panics when a client is built, in
/// library tests too; so every constructor of a client calls this.
pub fn init() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error says that another client was first, which is just as good.
        drop(rustls::crypto::ring::default_provider().install_default());
    });
}
