//! Puts a [`model`](crate::model) on the screen: thin, without decisions. Texts go in as text only, never as markup.

pub mod code;
pub mod device;
pub mod dom;
pub mod drop;
pub mod group;
pub mod item;
pub mod list;
pub mod notice;
pub mod paired;
mod paired_mark;
pub mod proposal;
pub mod transfer;
