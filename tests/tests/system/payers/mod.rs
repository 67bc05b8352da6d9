//! The chain of those who pay for a call: the user, his reseller, the reseller's partner; and what each of
//! them sees of it.

mod books;
mod live;
mod moved;
mod world;
