//! What outlives the document: this device's key and its paired devices. They are kept in the extension's own IndexedDB,
//! which pages of the web and other extensions can't read. The key is drawn here, once; what any of it is for is not known
//! here.

use js_sys::{Function, Promise, Uint8Array};
use tabferry_engine::Kept;
use tabferry_protocol::identity::{DeviceKey, KEY_BYTES};
use tabferry_protocol::paired::PairedDevice;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{IdbDatabase, IdbObjectStore, IdbRequest, IdbTransactionMode, window};

use super::log;
use crate::{json, random};

/// Name of the database, and its version.
const DATABASE: (&str, u32) = ("tabferry", 1);

/// The one object store: values by name.
const STORE: &str = "kept";

/// Name of the device's key: the seed's bytes.
const DEVICE_KEY: &str = "device-key";

/// Name of the paired devices: a list of [`PairedDevice`] as JSON.
const PAIRED: &str = "paired";

/// Name of the paired devices that the native host was known to have last: a list of [`PairedDevice`] as JSON.
const AGREED: &str = "paired-agreed";

/// The database.
#[derive(Debug, Clone)]
pub(crate) struct Vault(IdbDatabase);

impl Vault {
    /// Opens the database; makes it at first run.
    pub(crate) async fn open() -> Result<Self, JsValue> {
        let (name, version) = DATABASE;
        let factory = window()
            .ok_or(JsValue::UNDEFINED)?
            .indexed_db()?
            .ok_or(JsValue::UNDEFINED)?;
        let request = factory.open_with_u32(name, version)?;
        let upgrade = Closure::once({
            let request = request.clone();
            move || -> Result<(), JsValue> {
                let database: IdbDatabase = request.result()?.unchecked_into();
                database.create_object_store(STORE)?;
                Ok(())
            }
        });
        request.set_onupgradeneeded(Some(upgrade.as_ref().unchecked_ref()));
        Ok(Self(settled(&request).await?.unchecked_into()))
    }

    /// All that is kept.
    pub(crate) async fn load(&self) -> Result<Kept, JsValue> {
        Ok(Kept {
            key: self.device_key().await?,
            paired: self.list(PAIRED).await?,
        })
    }

    /// The paired devices that the native host was known to have last.
    pub(crate) async fn agreed(&self) -> Result<Vec<PairedDevice>, JsValue> {
        self.list(AGREED).await
    }

    /// Keeps paired devices, in place of those that were kept.
    pub(crate) fn keep_paired(&self, paired: &[PairedDevice]) {
        self.keep(PAIRED, paired);
    }

    /// Keeps those that the native host is known to have.
    pub(crate) fn keep_agreed(&self, paired: &[PairedDevice]) {
        self.keep(AGREED, paired);
    }

    /// Keeps another device's key and paired devices, which the native host has too, in place of all that was kept.
    pub(crate) async fn replace(
        &self,
        key: &DeviceKey,
        paired: &[PairedDevice],
    ) -> Result<(), JsValue> {
        let text = JsValue::from(written(paired)?);
        // One transaction: all or nothing.
        let store = self.store()?;
        let seed = Uint8Array::from(&key.expose_seed()[..]);
        store.put_with_key(&text, &PAIRED.into())?;
        store.put_with_key(&text, &AGREED.into())?;
        settled(&store.put_with_key(&seed, &DEVICE_KEY.into())?).await?;
        Ok(())
    }

    fn keep(&self, name: &str, paired: &[PairedDevice]) {
        let kept =
            written(paired).and_then(|text| self.store()?.put_with_key(&text.into(), &name.into()));
        if let Err(thrown) = kept {
            log::warn_js("paired devices", &thrown);
        }
    }

    async fn list(&self, name: &str) -> Result<Vec<PairedDevice>, JsValue> {
        let kept = settled(&self.store()?.get(&name.into())?).await?;
        // What can't be read is of a version that is gone: those devices are paired again.
        Ok(kept
            .as_string()
            .and_then(|text| json::from_str(&text).ok())
            .unwrap_or_default())
    }

    /// This device's key, drawn if there is none.
    async fn device_key(&self) -> Result<DeviceKey, JsValue> {
        let store = self.store()?;
        let kept = settled(&store.get(&DEVICE_KEY.into())?).await?;
        if let Some(seed) = kept
            .dyn_ref::<Uint8Array>()
            .and_then(|bytes| <[u8; KEY_BYTES]>::try_from(bytes.to_vec()).ok())
        {
            return Ok(DeviceKey::from_seed(&seed));
        }
        let key = DeviceKey::from_seed(&random::bytes()?);
        // The transaction may have ended while the first request was awaited.
        let seed = Uint8Array::from(&key.expose_seed()[..]);
        settled(&self.store()?.put_with_key(&seed, &DEVICE_KEY.into())?).await?;
        Ok(key)
    }

    fn store(&self) -> Result<IdbObjectStore, JsValue> {
        self.0
            .transaction_with_str_and_mode(STORE, IdbTransactionMode::Readwrite)?
            .object_store(STORE)
    }
}

fn written(paired: &[PairedDevice]) -> Result<String, JsValue> {
    serde_json::to_string(paired).map_err(|error| JsValue::from(error.to_string()))
}

/// Waits for a request and gives its result.
async fn settled(request: &IdbRequest) -> Result<JsValue, JsValue> {
    let promise = Promise::new(&mut |resolve: Function, reject: Function| {
        request.set_onsuccess(Some(&resolve));
        request.set_onerror(Some(&reject));
    });
    JsFuture::from(promise).await?;
    request.result()
}
