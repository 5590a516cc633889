//! The offscreen document's program: starts the engine.

fn main() {
    tabferry_ext::offscreen::start();
}
