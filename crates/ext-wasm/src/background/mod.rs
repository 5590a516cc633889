//! The service worker: menus, badge, notifications, the life of the offscreen document and the way of received files
//! into Downloads. It dies after 30 idle seconds, so what it must remember is kept in
//! [`Area::Session`](crate::chrome::storage::Area). It knows nothing of connections and transfers but what the engine tells, and never
//! touches a file's bytes.

pub mod badge;
pub mod click;
pub mod download;
pub mod engine;
pub mod menu;
pub mod notice;
pub mod status;
