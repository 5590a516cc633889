//! What a page shows of a [`Snapshot`](tabferry_protocol::host::Snapshot), as texts and values: everything is decided
//! here, and [`view`](crate::view) only puts it on the screen. Pure; words come through [`Words`](crate::i18n::Words).

pub mod address;
pub mod announcement;
pub mod code;
pub mod connection;
pub mod device;
pub mod group;
pub mod item;
pub mod name;
pub mod native;
pub mod paired;
pub mod pairing;
pub mod proposal;
pub mod qr;
pub mod server;
pub mod transfer;
pub mod visible;

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use tabferry_protocol::card::{DeviceKind, DeviceName};
    use tabferry_protocol::code::Code;
    use tabferry_protocol::host::DeviceView;
    use tabferry_protocol::id::DeviceId;

    #[derive(Deserialize)]
    struct Message {
        message: String,
        #[serde(default)]
        placeholders: BTreeMap<String, Placeholder>,
    }

    #[derive(Deserialize)]
    struct Placeholder {
        content: String,
    }

    fn messages() -> BTreeMap<String, Message> {
        let text = include_str!("../../../../extension/_locales/en/messages.json");
        serde_json::from_str(text).unwrap()
    }

    /// The English words, as the browser gives them.
    pub(crate) fn english(key: &str, substitutions: &[&str]) -> String {
        let message = messages()
            .remove(key)
            .unwrap_or_else(|| panic!("no message {key}"));
        let mut text = message.message;
        for (name, placeholder) in &message.placeholders {
            let number = placeholder.content.strip_prefix('$').unwrap();
            let index = number.parse::<usize>().unwrap() - 1;
            let with = substitutions
                .get(index)
                .unwrap_or_else(|| panic!("{key} misses {name}"));
            text = text.replace(&format!("${}$", name.to_uppercase()), with);
        }
        assert_eq!(message.placeholders.len(), substitutions.len(), "{key}");
        text
    }

    pub(crate) fn device(number: u8, name: &str) -> DeviceView {
        DeviceView {
            id: DeviceId::from_bytes([number; 16]),
            name: DeviceName::try_from(name.to_owned()).unwrap(),
            kind: DeviceKind::Computer,
            paired: false,
        }
    }

    #[test]
    fn every_code_has_its_own_words() {
        let mut texts: Vec<String> = Code::ALL
            .iter()
            .map(|code| {
                let kebab = serde_json::to_value(code).unwrap();
                let key = format!("code_{}", kebab.as_str().unwrap().replace('-', "_"));
                assert_eq!(super::transfer::code_key(*code), key);
                english(&key, &[])
            })
            .collect();
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), Code::ALL.len());
    }

    #[test]
    fn every_text_of_the_pages_is_a_message_and_says_the_same() {
        let messages = messages();
        for page in [
            include_str!("../../../../extension/popup.html"),
            include_str!("../../../../extension/send.html"),
            include_str!("../../../../extension/options.html"),
            include_str!("../../../../extension/pair.html"),
            include_str!("../../../../extension/code.html"),
        ] {
            let mut found = 0;
            for rest in page.split("data-i18n=\"").skip(1) {
                let (key, rest) = rest.split_once('"').unwrap();
                let (_, text) = rest.split_once('>').unwrap();
                let (text, _) = text.split_once('<').unwrap();
                let message = messages
                    .get(key)
                    .unwrap_or_else(|| panic!("no message {key}"));
                assert_eq!(message.message, text.trim(), "{key}");
                found += 1;
            }
            assert!(found > 0);
        }
    }

    #[test]
    fn every_text_that_a_page_asks_for_is_a_message() {
        let messages = messages();
        for source in [
            include_str!("../bin/popup.rs"),
            include_str!("../bin/send.rs"),
            include_str!("../bin/options.rs"),
            include_str!("../bin/pair.rs"),
            include_str!("../bin/code.rs"),
            include_str!("../model/code.rs"),
            include_str!("../model/native.rs"),
            include_str!("../view/code.rs"),
            include_str!("../model/pairing.rs"),
            include_str!("../view/paired.rs"),
            include_str!("../view/paired_mark.rs"),
            include_str!("../view/device.rs"),
            include_str!("../view/group.rs"),
            include_str!("../view/item.rs"),
            include_str!("../view/proposal.rs"),
            include_str!("../view/transfer.rs"),
        ] {
            let calls = source.split("message(\"").skip(1);
            let calls = calls.chain(source.split("words(\"").skip(1));
            let called = calls.map(|rest| rest.split('"').next().unwrap());
            let literals = source.split('"').skip(1).step_by(2);
            let labels = literals.filter(|text| text.ends_with("_button"));
            for key in called.chain(labels) {
                assert!(messages.contains_key(key), "no message {key}");
            }
        }
    }

    #[test]
    fn the_keys_are_sorted() {
        let text = include_str!("../../../../extension/_locales/en/messages.json");
        let keys: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("  \"")?.split('"').next())
            .collect();
        assert!(keys.is_sorted());
    }
}
