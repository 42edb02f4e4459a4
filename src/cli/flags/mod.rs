//! Flags that verbs share, in groups: a verb's arguments are made of those that mean something to
//! it. Names are kubectl's and Helm's.

pub mod apply;
pub mod change;
pub mod duration;
pub mod file;
pub mod format;
pub mod global;
pub mod name;
pub mod state;
pub mod values;
pub mod wait;
