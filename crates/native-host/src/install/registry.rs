//! What the installer needs of the Windows registry: strings in the default values of keys below `HKEY_CURRENT_USER`.

use std::io;

/// Default values of keys, by the path below `HKEY_CURRENT_USER`.
pub trait Registry {
    /// Reads one; `None` if the key or the value is not there.
    fn read(&self, key: &str) -> io::Result<Option<String>>;

    /// Writes one and makes the key if it is not there.
    fn write(&mut self, key: &str, value: &str) -> io::Result<()>;

    /// Removes a key and what is below it.
    fn remove(&mut self, key: &str) -> io::Result<()>;
}

/// The registry of this machine. Other systems than Windows have none, and nothing asks for it there.
#[derive(Debug, Default)]
pub struct CurrentUser;

#[cfg(windows)]
impl Registry for CurrentUser {
    fn read(&self, key: &str) -> io::Result<Option<String>> {
        let value = winreg::HKCU
            .open_subkey(key)
            .and_then(|key| key.get_value(""));
        match value {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn write(&mut self, key: &str, value: &str) -> io::Result<()> {
        let (key, _) = winreg::HKCU.create_subkey(key)?;
        key.set_value("", &value)
    }

    fn remove(&mut self, key: &str) -> io::Result<()> {
        winreg::HKCU.delete_subkey_all(key)
    }
}

#[cfg(not(windows))]
impl Registry for CurrentUser {
    fn read(&self, _key: &str) -> io::Result<Option<String>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn write(&mut self, _key: &str, _value: &str) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn remove(&mut self, _key: &str) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
