//! The installer on temporary homes: every row of the table on every system, what is written, what is left alone, and what a
//! person is told. The expected places are written out here once more, so that a slip in the table shows.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::cli::install as words;
use crate::cli::install::{InstallArguments, UninstallArguments};
use crate::install::browsers::{Browser, Family};
use crate::install::detection::{Confinement, Found};
use crate::install::machine::{Machine, Os};
use crate::install::registry::Registry;
use crate::install::status::{self, RegistrationState};
use crate::install::{
    CHROMIUM_ORIGIN, Change, FIREFOX_ADD_ON, Installer, Mode, Note, Refusal, Report, Selection,
    manifest,
};

const FILE: &str = "app.tabferry.host.json";

#[derive(Default)]
struct Keys(BTreeMap<String, String>);

impl Registry for Keys {
    fn read(&self, key: &str) -> io::Result<Option<String>> {
        Ok(self.0.get(key).cloned())
    }

    fn write(&mut self, key: &str, value: &str) -> io::Result<()> {
        self.0.insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    fn remove(&mut self, key: &str) -> io::Result<()> {
        self.0.remove(key).ok_or(io::ErrorKind::NotFound)?;
        Ok(())
    }
}

/// A machine in a temporary directory: a home, a root, and a program to be registered.
struct Fake {
    directory: TempDir,
    machine: Machine,
    keys: Keys,
    program: PathBuf,
}

impl Fake {
    fn new(os: Os) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("root");
        let home = root.join("home/ada");
        let (config, local) = match os {
            Os::Linux => (".config", ".local/share"),
            Os::Macos => ("Library/Application Support", "Library/Application Support"),
            Os::Windows => ("AppData/Roaming", "AppData/Local"),
        };
        let program = root.join("opt/tabferry");
        let fake = Self {
            machine: Machine {
                os,
                config: home.join(config),
                local: home.join(local),
                path: vec![root.join("usr/bin"), root.join("snap/bin")],
                home,
                root,
            },
            keys: Keys::default(),
            program,
            directory,
        };
        fake.put(&fake.program, "");
        fs::create_dir_all(&fake.machine.home).unwrap();
        fake
    }

    fn linux() -> Self {
        Self::new(Os::Linux)
    }

    /// Makes a file and the directories that it needs.
    #[expect(
        clippy::disallowed_methods,
        reason = "what the installer finds was made by others"
    )]
    fn put(&self, path: &Path, content: &str) {
        let path = self.machine.home.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn put_at_home(&self, path: &str, content: &str) {
        self.put(&self.machine.home.join(path), content);
    }

    fn put_at_root(&self, path: &str, content: &str) {
        self.put(&self.machine.root.join(path), content);
    }

    /// A manifest of ours for another program.
    fn put_foreign(&self, path: &str, program: &str) {
        let manifest = json!({"name": "app.tabferry.host", "path": program, "type": "stdio"});
        self.put_at_home(path, &manifest.to_string());
    }

    fn installer(&mut self) -> Installer<'_> {
        Installer {
            machine: &self.machine,
            registry: &mut self.keys,
            program: &self.program,
        }
    }

    fn install(&mut self, selection: &Selection) -> Report {
        self.installer().install(selection, Mode::Apply).unwrap()
    }

    fn uninstall(&mut self) -> Report {
        self.installer().uninstall(&[], Mode::Apply).unwrap()
    }

    /// Everything in the machine: path and content.
    fn files(&self) -> BTreeMap<String, String> {
        let mut files = BTreeMap::new();
        let mut open = vec![self.directory.path().to_owned()];
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() && !path.is_symlink() {
                    open.push(path);
                } else {
                    let name = path.strip_prefix(&self.machine.home).unwrap_or(&path);
                    let name = name.to_str().unwrap().to_owned();
                    files.insert(name, fs::read_to_string(&path).unwrap_or_default());
                }
            }
        }
        files
    }

    /// The manifests in the home directory.
    fn manifests(&self) -> Vec<String> {
        let files = self.files().into_keys();
        files.filter(|name| name.ends_with(FILE)).collect()
    }

    fn json(&self, path: &str) -> Value {
        let text = fs::read_to_string(self.machine.home.join(path)).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// What the command says, and whether it succeeds.
    fn install_in_words(&mut self, arguments: &[&str]) -> (String, Result<(), String>) {
        let arguments = parse::<InstallArguments>(arguments);
        let mut output = Vec::new();
        let result = words::install(
            &arguments,
            &self.program,
            &self.machine,
            &mut self.keys,
            &mut output,
        );
        (self.text(output), result.map_err(|error| error.to_string()))
    }

    fn uninstall_in_words(&mut self, stop: Option<&str>) -> (String, Result<(), String>) {
        let arguments = parse::<UninstallArguments>(&[]);
        let mut output = Vec::new();
        let result = words::uninstall(
            &arguments,
            &self.program,
            &self.machine,
            &mut self.keys,
            stop,
            &mut output,
        );
        (self.text(output), result.map_err(|error| error.to_string()))
    }

    /// Output with stable paths.
    fn text(&self, output: Vec<u8>) -> String {
        let text = String::from_utf8(output).unwrap();
        text.replace(self.machine.home.to_str().unwrap(), "~")
            .replace(self.machine.root.to_str().unwrap(), "")
    }
}

fn parse<T: clap::Args>(arguments: &[&str]) -> T {
    let command = T::augment_args(clap::Command::new("tabferry").no_binary_name(true));
    T::from_arg_matches(&command.get_matches_from(arguments)).unwrap()
}

fn only(browser: Browser) -> Selection {
    Selection {
        browsers: vec![browser],
        profiles: Vec::new(),
    }
}

fn changes(report: &Report) -> Vec<&Change> {
    let outcomes = report.outcomes.iter();
    outcomes
        .map(|outcome| outcome.change.as_ref().unwrap())
        .collect()
}

type Looked = (Browser, [&'static str; 2], [&'static [&'static str]; 2]);

/// What each browser leaves on its first start, and where it looks: Linux, macOS.
const PLACES: &[Looked] = &[
    (
        Browser::Chrome,
        [
            ".config/google-chrome/Local State",
            "Library/Application Support/Google/Chrome/Local State",
        ],
        [
            &[".config/google-chrome/NativeMessagingHosts"],
            &["Library/Application Support/Google/Chrome/NativeMessagingHosts"],
        ],
    ),
    (
        Browser::Chromium,
        [
            ".config/chromium/Local State",
            "Library/Application Support/Chromium/Local State",
        ],
        [
            &[".config/chromium/NativeMessagingHosts"],
            &["Library/Application Support/Chromium/NativeMessagingHosts"],
        ],
    ),
    (
        Browser::Edge,
        [
            ".config/microsoft-edge/Local State",
            "Library/Application Support/Microsoft Edge/Local State",
        ],
        [
            &[".config/microsoft-edge/NativeMessagingHosts"],
            &["Library/Application Support/Microsoft Edge/NativeMessagingHosts"],
        ],
    ),
    (
        Browser::Brave,
        [
            ".config/BraveSoftware/Brave-Browser/Local State",
            "Library/Application Support/BraveSoftware/Brave-Browser/Local State",
        ],
        [
            &[".config/BraveSoftware/Brave-Browser/NativeMessagingHosts"],
            &["Library/Application Support/BraveSoftware/Brave-Browser/NativeMessagingHosts"],
        ],
    ),
    (
        Browser::Vivaldi,
        [
            ".config/vivaldi/Local State",
            "Library/Application Support/Vivaldi/Local State",
        ],
        [
            &[".config/vivaldi/NativeMessagingHosts"],
            &["Library/Application Support/Vivaldi/NativeMessagingHosts"],
        ],
    ),
    (
        Browser::Opera,
        [
            ".config/opera/Local State",
            "Library/Application Support/com.operasoftware.Opera/Local State",
        ],
        [
            &[
                ".config/google-chrome/NativeMessagingHosts",
                ".config/opera/NativeMessagingHosts",
            ],
            &[
                "Library/Application Support/Google/Chrome/NativeMessagingHosts",
                "Library/Application Support/com.operasoftware.Opera/NativeMessagingHosts",
            ],
        ],
    ),
    (
        Browser::Firefox,
        [
            ".mozilla/firefox/profiles.ini",
            "Library/Application Support/Firefox/profiles.ini",
        ],
        [
            &[".mozilla/native-messaging-hosts"],
            &["Library/Application Support/Mozilla/NativeMessagingHosts"],
        ],
    ),
    (
        Browser::LibreWolf,
        [
            ".librewolf/profiles.ini",
            "Library/Application Support/librewolf/profiles.ini",
        ],
        [
            &[".librewolf/native-messaging-hosts"],
            &["Library/Application Support/LibreWolf/NativeMessagingHosts"],
        ],
    ),
];

/// What each browser leaves on its first start on Windows, the key that it reads and the manifest that the key leads to.
const KEYS: &[(Browser, &str, &str, &str)] = &[
    (
        Browser::Chrome,
        "Local/Google/Chrome/User Data/Local State",
        r"Google\Chrome",
        "chromium",
    ),
    (
        Browser::Chromium,
        "Local/Chromium/User Data/Local State",
        "Chromium",
        "chromium",
    ),
    (
        Browser::Edge,
        "Local/Microsoft/Edge/User Data/Local State",
        r"Microsoft\Edge",
        "chromium",
    ),
    (
        Browser::Brave,
        "Local/BraveSoftware/Brave-Browser/User Data/Local State",
        r"Google\Chrome",
        "chromium",
    ),
    (
        Browser::Vivaldi,
        "Local/Vivaldi/User Data/Local State",
        r"Google\Chrome",
        "chromium",
    ),
    (
        Browser::Opera,
        "Roaming/Opera Software/Opera Stable/Local State",
        r"Google\Chrome",
        "chromium",
    ),
    (
        Browser::Firefox,
        "Roaming/Mozilla/Firefox/profiles.ini",
        "Mozilla",
        "firefox",
    ),
    (
        Browser::LibreWolf,
        "Roaming/librewolf/profiles.ini",
        "Mozilla",
        "firefox",
    ),
];

fn assert_manifest(manifest: &Value, browser: Browser, program: &Path) {
    let is_firefox = matches!(browser, Browser::Firefox | Browser::LibreWolf);
    let (who, id, not) = if is_firefox {
        ("allowed_extensions", FIREFOX_ADD_ON, "allowed_origins")
    } else {
        ("allowed_origins", CHROMIUM_ORIGIN, "allowed_extensions")
    };
    assert_eq!(manifest["name"], "app.tabferry.host");
    assert_eq!(manifest["type"], "stdio");
    assert_eq!(manifest["path"], program.to_str().unwrap());
    assert!(program.is_absolute());
    assert_eq!(manifest[who], json!([id]));
    assert_eq!(manifest.get(not), None);
}

#[test]
fn every_browser_on_linux_and_macos_is_found_by_its_first_start_and_registered_where_it_looks() {
    assert_eq!(PLACES.len(), Browser::all().len());
    for (index, os) in [Os::Linux, Os::Macos].into_iter().enumerate() {
        for (browser, started, directories) in PLACES {
            let mut fake = Fake::new(os);
            assert!(!Found::look(*browser, &fake.machine).any());
            fake.put_at_home(started[index], "");
            let report = fake.install(&Selection::default());
            assert!(report.notes.is_empty(), "{:?}", report.notes);
            let expected: Vec<_> = directories[index]
                .iter()
                .map(|directory| format!("{directory}/{FILE}"))
                .collect();
            assert_eq!(fake.manifests(), expected, "{browser:?} on {os:?}");
            for manifest in &expected {
                assert_manifest(&fake.json(manifest), *browser, &fake.program);
            }
            assert!(fake.keys.0.is_empty());
            fake.uninstall();
            assert_eq!(fake.manifests(), Vec::<String>::new());
        }
    }
}

#[test]
fn every_browser_on_windows_is_registered_under_the_key_that_it_reads() {
    assert_eq!(KEYS.len(), Browser::all().len());
    for (browser, started, key, family) in KEYS {
        let mut fake = Fake::new(Os::Windows);
        fake.put_at_home(&format!("AppData/{started}"), "");
        fake.install(&Selection::default());
        let manifest = format!("AppData/Local/Tabferry/{family}/{FILE}");
        assert_eq!(fake.manifests(), [manifest.as_str()], "{browser:?}");
        assert_manifest(&fake.json(&manifest), *browser, &fake.program);
        let key = format!(r"Software\{key}\NativeMessagingHosts\app.tabferry.host");
        let value = fake.machine.home.join(manifest);
        let expected = BTreeMap::from([(key, value.to_str().unwrap().to_owned())]);
        assert_eq!(fake.keys.0, expected, "{browser:?}");
        fake.uninstall();
        assert!(fake.keys.0.is_empty() && fake.manifests().is_empty());
    }
}

#[test]
fn browsers_that_share_a_place_are_one_target() {
    let mut fake = Fake::new(Os::Windows);
    let all = Selection {
        browsers: Browser::all().to_vec(),
        profiles: Vec::new(),
    };
    let report = fake.install(&all);
    let shared: Vec<_> = report
        .outcomes
        .iter()
        .map(|outcome| outcome.target.browsers.len())
        .collect();
    assert_eq!(shared, [4, 1, 1, 2]);
    assert_eq!(fake.keys.0.len(), 4);
    // Three keys lead to one manifest: each goes, the manifest once.
    let report = fake.uninstall();
    assert_eq!(changes(&report), [&Change::Removed; 4]);
    assert!(fake.keys.0.is_empty() && fake.manifests().is_empty());
}

#[test]
fn every_browser_on_linux_is_found_by_its_program_too() {
    let programs = [
        (Browser::Chrome, "google-chrome-stable"),
        (Browser::Chromium, "chromium"),
        (Browser::Edge, "microsoft-edge"),
        (Browser::Brave, "brave-browser"),
        (Browser::Vivaldi, "vivaldi-stable"),
        (Browser::Opera, "opera"),
        (Browser::Firefox, "firefox-esr"),
        (Browser::LibreWolf, "librewolf"),
    ];
    for (browser, program) in programs {
        let fake = Fake::linux();
        fake.put_at_root(&format!("usr/bin/{program}"), "#!/bin/sh\nexec /opt/it\n");
        for other in Browser::all() {
            let found = Found::look(*other, &fake.machine);
            assert_eq!(found.native, *other == browser, "{program} as {other:?}");
        }
    }
}

#[test]
fn an_application_on_macos_is_found() {
    for base in ["Applications", "home/ada/Applications"] {
        let fake = Fake::new(Os::Macos);
        fake.put_at_root(&format!("{base}/Brave Browser.app/Contents/Info.plist"), "");
        assert!(Found::look(Browser::Brave, &fake.machine).native);
        assert!(!Found::look(Browser::Chrome, &fake.machine).any());
    }
}

#[test]
fn the_configuration_directory_of_the_environment_counts() {
    let mut fake = Fake::linux();
    fake.machine.config = fake.machine.home.join("elsewhere");
    fake.put_at_home(".config/chromium/Local State", "");
    fake.put_at_home("elsewhere/vivaldi/Local State", "");
    fake.put_at_home("elsewhere/mozilla/firefox/profiles.ini", "");
    fake.install(&Selection::default());
    assert_eq!(
        fake.manifests(),
        [
            format!(".mozilla/native-messaging-hosts/{FILE}"),
            format!("elsewhere/vivaldi/NativeMessagingHosts/{FILE}")
        ]
    );
}

#[test]
fn a_registration_does_not_make_a_browser_that_is_not_there() {
    let mut fake = Fake::linux();
    for browser in Browser::all() {
        fake.install(&only(*browser));
    }
    for browser in Browser::all() {
        assert!(!Found::look(*browser, &fake.machine).any(), "{browser:?}");
    }
}

#[test]
fn installing_twice_changes_nothing() {
    let mut fake = Fake::linux();
    fake.put_at_home(".config/chromium/Local State", "");
    fake.put_at_home(".mozilla/firefox/profiles.ini", "");
    let report = fake.install(&Selection::default());
    assert!(
        changes(&report)
            .iter()
            .all(|change| matches!(change, Change::Created { .. }))
    );
    let first = fake.files();
    let report = fake.install(&Selection::default());
    assert_eq!(changes(&report), [&Change::Unchanged; 2]);
    assert_eq!(fake.files(), first);
}

#[test]
fn an_older_manifest_of_this_program_is_brought_up_to_date() {
    let mut fake = Fake::linux();
    let path = format!(".config/chromium/NativeMessagingHosts/{FILE}");
    fake.put_foreign(&path, fake.program.clone().to_str().unwrap());
    let report = fake.install(&only(Browser::Chromium));
    assert!(matches!(changes(&report)[..], [Change::Replaced { .. }]));
    assert_manifest(&fake.json(&path), Browser::Chromium, &fake.program);
}

#[test]
fn a_manifest_of_another_program_is_replaced_and_told() {
    let mut fake = Fake::linux();
    let path = format!(".config/chromium/NativeMessagingHosts/{FILE}");
    fake.put_foreign(&path, "/usr/local/bin/tabferry");
    let (text, result) = fake.install_in_words(&["--browser", "chromium"]);
    result.unwrap();
    assert!(
        text.contains(
            "Chromium: registered, in place of a registration of /usr/local/bin/tabferry"
        ),
        "{text}"
    );
    assert_manifest(&fake.json(&path), Browser::Chromium, &fake.program);
}

#[test]
fn what_is_no_manifest_is_replaced_by_install_and_left_by_uninstall() {
    let path = format!(".config/chromium/NativeMessagingHosts/{FILE}");
    let junk = [
        "",
        "{",
        "[]",
        r#"{"name":"app.other","path":"/x"}"#,
        r#"{"name":"app.tabferry.host"}"#,
    ];
    for junk in junk {
        let mut fake = Fake::linux();
        fake.put_at_home(&path, junk);
        let report = fake.uninstall();
        assert_eq!(changes(&report), [&Change::Left { program: None }]);
        assert_eq!(fake.files()[&path], junk);
        let report = fake.install(&only(Browser::Chromium));
        assert!(
            matches!(
                changes(&report)[..],
                [Change::Replaced { former: None, .. }]
            ),
            "{junk}"
        );
        assert_manifest(&fake.json(&path), Browser::Chromium, &fake.program);
    }
}

#[test]
fn uninstall_leaves_manifests_of_other_programs_and_other_hosts() {
    let mut fake = Fake::linux();
    fake.install(&only(Browser::Chromium));
    let foreign = format!(".config/vivaldi/NativeMessagingHosts/{FILE}");
    fake.put_foreign(&foreign, "/usr/local/bin/tabferry");
    let neighbor = ".config/chromium/NativeMessagingHosts/org.example.other.json";
    fake.put_at_home(neighbor, "{}");
    let (text, result) = fake.uninstall_in_words(Some("tabferry stop"));
    result.unwrap();
    assert!(text.contains("Chromium: removed"), "{text}");
    assert!(
        text.contains("Vivaldi: left, it is a registration of /usr/local/bin/tabferry"),
        "{text}"
    );
    assert!(
        text.ends_with("Tabferry still runs in the background. To end it: tabferry stop\n"),
        "{text}"
    );
    assert_eq!(fake.manifests(), [foreign]);
    assert!(fake.machine.home.join(neighbor).exists());
}

#[test]
fn uninstall_with_nothing_to_remove_says_so() {
    let mut fake = Fake::linux();
    let (text, result) = fake.uninstall_in_words(None);
    result.unwrap();
    assert_eq!(
        text,
        "Nothing to remove: no browser of this user knows this program.\n"
    );
}

#[test]
fn a_key_that_leads_elsewhere_is_anothers() {
    let mut fake = Fake::new(Os::Windows);
    let manifest = fake.machine.home.join("other.json");
    fake.put_foreign("other.json", r"C:\Programs\tabferry.exe");
    let key = r"Software\Chromium\NativeMessagingHosts\app.tabferry.host";
    fake.keys.write(key, manifest.to_str().unwrap()).unwrap();
    let report = fake.uninstall();
    let program = Some(PathBuf::from(r"C:\Programs\tabferry.exe"));
    assert_eq!(changes(&report), [&Change::Left { program }]);
    assert!(fake.keys.0.contains_key(key) && manifest.exists());
    let report = fake.install(&only(Browser::Chromium));
    assert!(matches!(
        changes(&report)[..],
        [Change::Replaced {
            former: Some(_),
            ..
        }]
    ));
    assert!(fake.keys.0[key].contains("Tabferry"));
    // A key that leads to nothing is repaired.
    fs::remove_file(&fake.keys.0[key]).unwrap();
    fake.install(&only(Browser::Chromium));
    assert!(Path::new(&fake.keys.0[key]).exists());
}

#[test]
fn a_dry_run_shows_what_would_be_written_and_writes_nothing() {
    let mut fake = Fake::linux();
    fake.put_at_home(".config/chromium/Local State", "");
    fake.put_at_home(".mozilla/firefox/profiles.ini", "");
    let before = fake.files();
    let (text, result) = fake.install_in_words(&["--dry-run"]);
    result.unwrap();
    assert_eq!(fake.files(), before);
    assert_eq!(
        text,
        "\
Nothing is changed. tabferry install would do this:

Chromium: register
  ~/.config/chromium/NativeMessagingHosts/app.tabferry.host.json
    {
      \"name\": \"app.tabferry.host\",
      \"description\": \"Tabferry: receives files in the background\",
      \"path\": \"/opt/tabferry\",
      \"type\": \"stdio\",
      \"allowed_origins\": [
        \"chrome-extension://imfpdplahoccelbkgcfjfibikmoechld/\"
      ]
    }
Firefox: register
  ~/.mozilla/native-messaging-hosts/app.tabferry.host.json
    {
      \"name\": \"app.tabferry.host\",
      \"description\": \"Tabferry: receives files in the background\",
      \"path\": \"/opt/tabferry\",
      \"type\": \"stdio\",
      \"allowed_extensions\": [
        \"tabferry@tabferry.app\"
      ]
    }
"
    );
    fake.install(&Selection::default());
    let before = fake.files();
    let report = fake.installer().uninstall(&[], Mode::DryRun).unwrap();
    assert_eq!(changes(&report), [&Change::Removed; 2]);
    assert_eq!(fake.files(), before);
}

#[cfg(unix)]
#[test]
fn a_place_that_can_not_be_written_is_told_and_the_others_are_done() {
    let mut fake = Fake::linux();
    // A file where a directory should be holds also for root, whom no mode stops.
    fake.put_at_home(".config/chromium/Local State", "");
    fake.put_at_home(".config/chromium/NativeMessagingHosts", "");
    fake.put_at_home(".config/vivaldi/Local State", "");
    fake.put_at_home(".mozilla/firefox/profiles.ini", "");
    let (text, result) = fake.install_in_words(&[]);
    assert_eq!(
        result.unwrap_err(),
        "1 of 3 places could not be changed; see above"
    );
    assert!(
        text.contains("Chromium: FAILED: ") && text.contains("Vivaldi: registered\n"),
        "{text}"
    );
    assert_eq!(
        fake.manifests(),
        [
            format!(".config/vivaldi/NativeMessagingHosts/{FILE}"),
            format!(".mozilla/native-messaging-hosts/{FILE}"),
        ]
    );
}

#[cfg(unix)]
#[test]
fn manifests_can_be_read_by_all_and_new_directories_by_nobody_else() {
    use std::os::unix::fs::PermissionsExt as _;

    let mut fake = Fake::linux();
    fake.install(&only(Browser::Brave));
    let mode = |path: &str| {
        let found = fs::metadata(fake.machine.home.join(path)).unwrap();
        found.permissions().mode() & 0o777
    };
    let directory = ".config/BraveSoftware/Brave-Browser";
    assert_eq!(mode(directory), 0o700);
    assert_eq!(
        mode(&format!("{directory}/NativeMessagingHosts/{FILE}")),
        0o644
    );
    // Nothing is left of the writing.
    let inside = fs::read_dir(
        fake.machine
            .home
            .join(directory)
            .join("NativeMessagingHosts"),
    );
    assert_eq!(inside.unwrap().count(), 1);
}

#[cfg(unix)]
#[test]
fn this_program_is_known_by_another_name_too() {
    let mut fake = Fake::linux();
    let link = fake.machine.home.join("tabferry");
    std::os::unix::fs::symlink(&fake.program, &link).unwrap();
    let path = format!(".config/chromium/NativeMessagingHosts/{FILE}");
    fake.put_foreign(&path, link.to_str().unwrap());
    let report = fake.uninstall();
    assert_eq!(changes(&report), [&Change::Removed]);
}

#[test]
fn browsers_that_are_named_are_the_only_ones() {
    let mut fake = Fake::linux();
    fake.put_at_home(".config/chromium/Local State", "");
    let (text, result) = fake.install_in_words(&["--browser", "librewolf", "--browser", "firefox"]);
    result.unwrap();
    assert!(text.contains("LibreWolf: registered"), "{text}");
    assert_eq!(
        fake.manifests(),
        [
            format!(".librewolf/native-messaging-hosts/{FILE}"),
            format!(".mozilla/native-messaging-hosts/{FILE}"),
        ]
    );
}

#[test]
fn a_custom_profile_has_a_manifest_of_its_own() {
    let mut fake = Fake::linux();
    fake.put_at_home(".config/chromium/Local State", "");
    let profile = fake.machine.home.join("custom");
    let (text, result) = fake.install_in_words(&["--profile-dir", profile.to_str().unwrap()]);
    result.unwrap();
    assert!(text.starts_with("Custom profile: registered\n"), "{text}");
    let manifest = format!("custom/NativeMessagingHosts/{FILE}");
    assert_eq!(fake.manifests(), [manifest.as_str()]);
    assert_manifest(&fake.json(&manifest), Browser::Chromium, &fake.program);
    fake.uninstall();
    assert_eq!(fake.manifests(), [manifest]);
    let profiles = [profile];
    fake.installer().uninstall(&profiles, Mode::Apply).unwrap();
    assert!(fake.manifests().is_empty());

    let mut fake = Fake::new(Os::Windows);
    let selection = Selection {
        browsers: Vec::new(),
        profiles: profiles.into(),
    };
    assert!(matches!(
        fake.installer().install(&selection, Mode::Apply),
        Err(Refusal::ProfilesOnWindows)
    ));
}

#[test]
fn a_machine_without_browsers_is_an_error_that_helps() {
    let mut fake = Fake::linux();
    let (text, result) = fake.install_in_words(&[]);
    assert_eq!(text, "");
    assert!(result.unwrap_err().contains("tabferry install --browser"));
}

#[test]
fn flatpaks_and_snaps_are_recognized() {
    let forms: &[(Browser, &str, Confinement)] = &[
        (
            Browser::Chrome,
            "var/lib/flatpak/app/com.google.Chrome/current",
            Confinement::Flatpak,
        ),
        (
            Browser::LibreWolf,
            "home/ada/.local/share/flatpak/app/io.gitlab.librewolf-community/current",
            Confinement::Flatpak,
        ),
        (
            Browser::Firefox,
            "snap/firefox/current/firefox",
            Confinement::Snap,
        ),
        (
            Browser::Opera,
            "var/lib/snapd/snap/opera/current/opera",
            Confinement::Snap,
        ),
    ];
    for (browser, file, confinement) in forms {
        let mut fake = Fake::linux();
        fake.put_at_root(file, "");
        let found = Found::look(*browser, &fake.machine);
        assert_eq!(
            (found.native, found.confined),
            (false, vec![*confinement]),
            "{file}"
        );
        let (text, result) = fake.install_in_words(&[]);
        assert!(result.is_err());
        let by = confinement.name();
        assert!(
            text.contains(&format!(
                "is installed as a {by}, which can't start other programs"
            )),
            "{text}"
        );
        assert!(fake.manifests().is_empty());
        // Who insists gets the registration, and the word about it.
        let report = fake.install(&only(*browser));
        assert!(!report.outcomes.is_empty());
        assert_eq!(
            report.notes,
            [Note::Confined {
                browser: *browser,
                by: *confinement
            }]
        );
    }
}

#[cfg(unix)]
#[test]
fn the_starter_of_a_snap_is_no_program_of_its_own() {
    let fake = Fake::linux();
    fake.put_at_root("snap/chromium/current/chromium", "");
    fake.put_at_root(
        "usr/bin/chromium-browser",
        "#!/bin/sh\nexec /snap/bin/chromium \"$@\"\n",
    );
    fake.put_at_root("usr/bin/snap", "\x7fELF");
    fs::create_dir_all(fake.machine.root.join("snap/bin")).unwrap();
    std::os::unix::fs::symlink(
        fake.machine.root.join("usr/bin/snap"),
        fake.machine.root.join("snap/bin/chromium"),
    )
    .unwrap();
    let found = Found::look(Browser::Chromium, &fake.machine);
    assert_eq!(
        (found.native, found.confined),
        (false, vec![Confinement::Snap])
    );
    // Beside it there may be a real one.
    fake.put_at_root("usr/bin/chromium", "\x7fELF");
    assert!(Found::look(Browser::Chromium, &fake.machine).native);
}

#[test]
fn a_manifest_for_all_users_is_enough() {
    let mut fake = Fake::linux();
    let program = fake.program.clone();
    for path in [
        "etc/opt/chrome/native-messaging-hosts",
        "etc/chromium/native-messaging-hosts",
        "etc/opt/edge/native-messaging-hosts",
        "usr/lib/mozilla/native-messaging-hosts",
    ] {
        let manifest = json!({"name": "app.tabferry.host", "path": program});
        fake.put_at_root(&format!("{path}/{FILE}"), &manifest.to_string());
    }
    for (_, started, _) in PLACES {
        fake.put_at_home(started[0], "");
    }
    let (text, result) = fake.install_in_words(&[]);
    result.unwrap();
    assert!(text.contains("Firefox: registered for all users"), "{text}");
    let notes = fake.install(&Selection::default()).notes;
    let known: Vec<_> = notes
        .iter()
        .filter_map(|note| match note {
            Note::ForAll { browser, .. } => Some(*browser),
            _ => None,
        })
        .collect();
    assert_eq!(
        known,
        [
            Browser::Chrome,
            Browser::Chromium,
            Browser::Edge,
            Browser::Firefox
        ]
    );
    // Uninstall leaves these to the package that they came in.
    let before = fake.files();
    fake.uninstall();
    let gone: Vec<_> = before
        .into_keys()
        .filter(|name| !fake.files().contains_key(name))
        .collect();
    assert!(gone.iter().all(|name| name.starts_with('.')), "{gone:?}");
}

#[test]
fn a_profile_that_would_be_hidden_is_left_in_peace_unless_a_person_insists() {
    let mut fake = Fake::linux();
    fake.put_at_home(".config/librewolf/librewolf/profiles.ini", "");
    let (text, result) = fake.install_in_words(&[]);
    assert!(result.is_err());
    assert!(
        text.contains("Its profile is in ~/.config/librewolf")
            && text.contains("tabferry install --browser librewolf"),
        "{text}"
    );
    assert!(!fake.machine.home.join(".librewolf").exists());
    let (text, result) = fake.install_in_words(&["--browser", "librewolf"]);
    result.unwrap();
    assert!(text.contains("LibreWolf: registered\n"), "{text}");
}

#[test]
fn status_tells_this_program_from_others_and_from_missing_ones() {
    let mut fake = Fake::linux();
    fake.put_at_home(".config/chromium/Local State", "");
    fake.put_at_home(".config/vivaldi/Local State", "");
    fake.install(&only(Browser::Chromium));
    fake.put_at_root("usr/bin/tabferry", "");
    let other = fake.machine.root.join("usr/bin/tabferry");
    fake.put_foreign(
        &format!(".config/google-chrome/NativeMessagingHosts/{FILE}"),
        other.to_str().unwrap(),
    );
    fake.put_foreign(
        &format!(".mozilla/native-messaging-hosts/{FILE}"),
        "/gone/tabferry",
    );
    fake.put_at_home(
        &format!(".librewolf/native-messaging-hosts/{FILE}"),
        "no JSON",
    );
    let for_all = format!("etc/chromium/native-messaging-hosts/{FILE}");
    let manifest = json!({"name": "app.tabferry.host", "path": other});
    fake.put_at_root(&for_all, &manifest.to_string());
    fake.put_at_root("var/lib/flatpak/app/com.brave.Browser/current", "");

    let browsers = status::look(&fake.machine, &fake.keys, &fake.program);
    let states: Vec<_> = browsers
        .iter()
        .flat_map(|status| {
            let registrations = status.registrations.iter();
            registrations.map(|registration| (status.browser, registration.state))
        })
        .collect();
    assert_eq!(
        states,
        [
            (Browser::Chrome, RegistrationState::OtherProgram),
            (Browser::Chromium, RegistrationState::ThisProgram),
            (Browser::Chromium, RegistrationState::OtherProgram),
            // Opera looks where Chrome does.
            (Browser::Opera, RegistrationState::OtherProgram),
            (Browser::Firefox, RegistrationState::ProgramMissing),
            (Browser::LibreWolf, RegistrationState::Broken),
        ]
    );
    let text: String = browsers.iter().map(ToString::to_string).collect();
    assert_eq!(
        fake.text(text.into_bytes()),
        format!(
            "\
Chrome     registered with another program, /usr/bin/tabferry (~/.config/google-chrome/NativeMessagingHosts/{FILE})
Chromium   registered (~/.config/chromium/NativeMessagingHosts/{FILE})
Chromium   registered with another program, /usr/bin/tabferry, for all users (/etc/chromium/native-messaging-hosts/{FILE})
Brave      as a Flatpak: can't start other programs
Vivaldi    not registered: run tabferry install
Opera      registered with another program, /usr/bin/tabferry (~/.config/google-chrome/NativeMessagingHosts/{FILE})
Firefox    registered with a program that is gone, /gone/tabferry (~/.mozilla/native-messaging-hosts/{FILE})
LibreWolf  its manifest can't be used (~/.librewolf/native-messaging-hosts/{FILE})
"
        )
    );
}

#[test]
fn the_json_of_status_is_stable() {
    let mut fake = Fake::linux();
    fake.put_at_home(".config/chromium/Local State", "");
    fake.put_at_root("snap/chromium/current/chromium", "");
    fake.install(&only(Browser::Chromium));
    fake.put_foreign(
        &format!(".librewolf/native-messaging-hosts/{FILE}"),
        "/gone/tabferry",
    );
    fake.put_at_root("var/lib/flatpak/app/com.brave.Browser/current", "");
    fake.put_at_home(&format!(".config/vivaldi/NativeMessagingHosts/{FILE}"), "");
    fake.put_at_root("usr/bin/tabferry", "");
    let other = fake.machine.root.join("usr/bin/tabferry");
    let manifest = json!({"name": "app.tabferry.host", "path": other});
    fake.put_at_root(
        &format!("usr/lib/mozilla/native-messaging-hosts/{FILE}"),
        &manifest.to_string(),
    );
    let browsers = status::look(&fake.machine, &fake.keys, &fake.program);
    let text = serde_json::to_string_pretty(&browsers).unwrap() + "\n";
    assert_eq!(
        fake.text(text.into_bytes()),
        include_str!("tests/status.json")
    );
}

#[test]
fn the_extension_id_follows_from_the_key_in_its_manifest() {
    let manifest: Value =
        serde_json::from_str(include_str!("../../../../extension/manifest.json")).unwrap();
    let key = manifest["key"].as_str().unwrap();
    let key = data_encoding::BASE64.decode(key.as_bytes()).unwrap();
    let id: String = Sha256::digest(key)[..16]
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(b'a' + digit))
        .collect();
    assert_eq!(CHROMIUM_ORIGIN, format!("chrome-extension://{id}/"));
}

#[test]
fn the_manifests_of_the_packages_are_those_that_install_writes() {
    let packaged = [
        (
            Family::Chromium,
            include_str!("../../../../packaging/manifests/chromium.json"),
        ),
        (
            Family::Firefox,
            include_str!("../../../../packaging/manifests/firefox.json"),
        ),
    ];
    for (family, text) in packaged {
        assert_eq!(manifest::text(family, "/usr/bin/tabferry").unwrap(), text);
    }
}

#[cfg(unix)]
#[test]
fn a_program_whose_path_is_no_text_is_refused() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    let mut fake = Fake::linux();
    fake.program = PathBuf::from(OsStr::from_bytes(b"/opt/\xff/tabferry"));
    assert!(matches!(
        fake.installer()
            .install(&only(Browser::Chrome), Mode::Apply),
        Err(Refusal::ProgramPath(_))
    ));
}
