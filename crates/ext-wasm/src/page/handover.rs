//! Hands `File` objects over to the offscreen document, where they outlive the page: by broadcast, since the extension's
//! messages can't carry them.

use core::cell::RefCell;
use core::fmt;
use std::rc::Rc;

use js_sys::{Array, Object, Reflect};
use tabferry_protocol::id::DeviceId;
use wasm_bindgen::prelude::*;
use web_sys::{BroadcastChannel, File, MessageEvent};

use crate::envelope::FILES_CHANNEL;
use crate::view::dom::{Listener, window};

/// Called once the files are safe.
type Taken = Box<dyn FnOnce()>;

/// The page's end of the channel.
pub struct Handover {
    channel: BroadcastChannel,
    waiting: Rc<RefCell<Vec<(String, Taken)>>>,
    _answers: Listener,
}

impl Handover {
    /// Joins the channel.
    pub fn open() -> Result<Self, JsValue> {
        let channel = BroadcastChannel::new(FILES_CHANNEL)?;
        let waiting: Rc<RefCell<Vec<(String, Taken)>>> = Rc::default();
        let answered = Rc::clone(&waiting);
        let answers = Listener::new(&channel, "message", move |event| {
            let Some(request) = accepted(event.unchecked_ref()) else {
                return;
            };
            let mut waiting = answered.borrow_mut();
            let found = waiting.iter().position(|(waits, _)| *waits == request);
            let taken = found.map(|index| waiting.remove(index));
            drop(waiting);
            if let Some((_, taken)) = taken {
                taken();
            }
        });
        Ok(Self {
            channel,
            waiting,
            _answers: answers,
        })
    }

    /// Hands files over to be sent. `taken` is called once the engine has them, so that the page may close.
    pub fn send(
        &self,
        to: DeviceId,
        files: &[File],
        taken: impl FnOnce() + 'static,
    ) -> Result<(), JsValue> {
        let request = window().crypto()?.random_uuid();
        let message = Object::new();
        Reflect::set(&message, &"request".into(), &request.as_str().into())?;
        Reflect::set(&message, &"to".into(), &to.to_string().into())?;
        let files: Array = files.iter().collect();
        Reflect::set(&message, &"files".into(), &files)?;
        self.channel.post_message(&message)?;
        self.waiting.borrow_mut().push((request, Box::new(taken)));
        Ok(())
    }

    /// Forgets what nobody has taken, for the engine has gone. Whether there was anything.
    pub fn give_up(&self) -> bool {
        !self.waiting.take().is_empty()
    }
}

/// The request that the engine has taken over.
fn accepted(event: &MessageEvent) -> Option<String> {
    let accepted = Reflect::get(&event.data(), &"accepted".into()).ok()?;
    accepted.as_string()
}

impl fmt::Debug for Handover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handover").finish_non_exhaustive()
    }
}
