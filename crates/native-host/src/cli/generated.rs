//! The commands that print what is made from the definition of all commands: completions for shells, and manual pages. Knows
//! no command itself.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Command};
use clap_complete::Shell;
use clap_mangen::Man;

/// Options of `tabferry completions`.
#[derive(Debug, Args)]
pub struct CompletionsArguments {
    /// For which shell
    shell: Shell,
}

/// Options of `tabferry man`.
#[derive(Debug, Args)]
pub struct ManArguments {
    /// Write this page and one for each command into a directory, instead of printing this one
    #[arg(long, value_name = "DIRECTORY")]
    to: Option<PathBuf>,
}

/// Why nothing was printed or written.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// The terminal, or what the output was sent to.
    #[error("can't write the output: {0}")]
    Output(#[from] io::Error),
    /// A directory for pages.
    #[error("can't write manual pages into {}: {error}", directory.display())]
    Directory {
        /// Which.
        directory: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// Prints the completions of a shell.
pub fn completions(
    arguments: &CompletionsArguments,
    mut command: Command,
    output: &mut dyn Write,
) -> Result<(), GenerateError> {
    // The generator takes a failing output for a bug.
    let mut script = Vec::new();
    let name = command.get_name().to_owned();
    clap_complete::generate(arguments.shell, &mut command, name, &mut script);
    Ok(output.write_all(&script)?)
}

/// Prints the manual page, or writes all of them.
pub fn man(
    arguments: &ManArguments,
    command: Command,
    output: &mut dyn Write,
) -> Result<(), GenerateError> {
    match &arguments.to {
        None => Ok(Man::new(command).render(output)?),
        Some(directory) => {
            write_pages(command, directory).map_err(|error| GenerateError::Directory {
                directory: directory.clone(),
                error,
            })
        }
    }
}

fn write_pages(command: Command, directory: &Path) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    clap_mangen::generate_to(command, directory)
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser, ValueEnum};

    use super::*;

    /// A command like ours.
    #[derive(Debug, Parser)]
    #[command(name = "tabferry")]
    enum Sample {
        /// One
        Install(crate::cli::install::InstallArguments),
        /// Two
        Uninstall(crate::cli::install::UninstallArguments),
        /// Three
        Completions(CompletionsArguments),
    }

    #[test]
    fn completions_of_every_shell_contain_every_command_and_every_browser() {
        for shell in Shell::value_variants() {
            let mut script = Vec::new();
            completions(
                &CompletionsArguments { shell: *shell },
                Sample::command(),
                &mut script,
            )
            .unwrap();
            let script = String::from_utf8(script).unwrap();
            for command in Sample::command().get_subcommands() {
                assert!(script.contains(command.get_name()), "{shell}: {command}");
            }
            assert!(script.contains("profile-dir"), "{shell}");
            // Nushell aside, these know the values of an option.
            if matches!(shell, Shell::Bash | Shell::Zsh | Shell::Fish) {
                assert!(script.contains("librewolf"), "{shell}");
            }
        }
    }

    #[test]
    fn an_output_that_fails_is_an_error() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let shell = CompletionsArguments { shell: Shell::Bash };
        assert!(completions(&shell, Sample::command(), &mut Full).is_err());
        assert!(man(&ManArguments { to: None }, Sample::command(), &mut Full).is_err());
    }

    #[test]
    fn the_page_names_every_command_and_each_command_has_a_page() {
        let mut page = Vec::new();
        man(&ManArguments { to: None }, Sample::command(), &mut page).unwrap();
        let page = String::from_utf8(page).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let to = Some(directory.path().join("man1"));
        man(&ManArguments { to }, Sample::command(), &mut io::sink()).unwrap();
        for command in Sample::command().get_subcommands() {
            let name = format!("tabferry-{}", command.get_name());
            // roff writes a hyphen with a backslash.
            assert!(page.contains(&name.replace('-', "\\-")), "{name}: {page}");
            let page = directory.path().join(format!("man1/{name}.1"));
            assert!(page.is_file(), "{}", page.display());
        }
        assert!(directory.path().join("man1/tabferry.1").is_file());
    }
}
