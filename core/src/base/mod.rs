//! What every domain of the core is built from, and what knows of none of them: errors, ids and names,
//! amounts and times, and how messages are read, written and kept secret.

pub(crate) mod clock;
pub(crate) mod contract;
pub(crate) mod enums;
pub(crate) mod error;
pub(crate) mod fault;
pub(crate) mod ids;
pub(crate) mod money;
pub(crate) mod network;
pub(crate) mod paging;
pub(crate) mod resource;
pub(crate) mod shares;
mod status;
pub(crate) mod stored;
pub(crate) mod tasks;
pub(crate) mod text;
pub(crate) mod vault;
