//! Files dropped on a page.

use wasm_bindgen::JsCast;
use web_sys::{DataTransfer, DragEvent, Event, File, FileList};

/// What was dropped.
#[derive(Debug)]
pub enum Dropped {
    /// Files.
    Files(Vec<File>),
    /// A folder is among them.
    Folder,
    /// No file at all.
    Nothing,
}

/// Whether something is dragged that may hold files. Its drop must be prevented from opening it in the tab.
pub fn holds_files(event: &Event) -> bool {
    transfer(event).is_some_and(|transfer| transfer.types().includes(&"Files".into(), 0))
}

/// What a drop holds.
pub fn dropped(event: &Event) -> Dropped {
    let Some(transfer) = transfer(event) else {
        return Dropped::Nothing;
    };
    let items = transfer.items();
    for index in 0..items.length() {
        let entry = items.get(index).map(|item| item.webkit_get_as_entry());
        if let Some(Ok(Some(entry))) = entry
            && entry.is_directory()
        {
            return Dropped::Folder;
        }
    }
    match files(transfer.files()) {
        files if files.is_empty() => Dropped::Nothing,
        files => Dropped::Files(files),
    }
}

/// The files of a list.
pub fn files(list: Option<FileList>) -> Vec<File> {
    let Some(list) = list else {
        return Vec::new();
    };
    (0..list.length())
        .filter_map(|index| list.get(index))
        .collect()
}

fn transfer(event: &Event) -> Option<DataTransfer> {
    event.dyn_ref::<DragEvent>()?.data_transfer()
}
