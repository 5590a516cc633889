//! What the service worker decides: menus, badge, notifications, and the words between the browser and the engine. It dies
//! after 30 idle seconds, so it remembers nothing: what it needs comes with each event, and what is to be kept is part of
//! what it wants done. It knows nothing of connections and transfers but what the engine tells, and never touches a file's
//! bytes.

pub mod badge;
pub mod click;
pub mod download;
pub mod menu;
pub mod notice;
pub mod output;
