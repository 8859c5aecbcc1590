//! The typed builder of a configuration. Its methods are generated from the option table, in `setters`.

use std::path::Path;
use std::time::Duration;

use super::Config;
use crate::outcome::Error;

/// Builds a [`Config`] with a method for each option. An option with a unit takes a [`Duration`], a choice takes an
/// enum.
///
/// ```
/// use std::time::Duration;
/// use esales_notify::{Config, Durability};
///
/// # fn main() -> Result<(), esales_notify::Error> {
/// let config = Config::builder()
///     .cluster_id("w1")
///     .timeout(Duration::from_millis(500))
///     .spool("/var/lib/shop/spool")
///     .durability(Durability::Disk)
///     .build()?;
/// assert_eq!(config.get("timeout_ms"), Some("500"));
/// # Ok(())
/// # }
/// ```
///
/// It can start with the options of the environment: `ConfigBuilder::from(Config::from_env()?)`.
#[derive(Debug, Clone, Default)]
#[must_use = "nothing is set until `build` is called"]
pub struct ConfigBuilder {
    config: Config,
    /// The first value that was refused.
    refused: Option<Error>,
}

impl ConfigBuilder {
    /// The configuration, if every value was accepted. [`Client::new`](crate::Client::new) finds options that
    /// contradict each other.
    ///
    /// # Errors
    /// [`Status::InvalidConfig`](crate::Status::InvalidConfig) for the first value that was refused. The message names
    /// the option.
    pub fn build(self) -> Result<Config, Error> {
        match self.refused {
            Some(error) => Err(error),
            None => Ok(self.config),
        }
    }

    pub(super) fn text(mut self, name: &str, value: &str) -> ConfigBuilder {
        let set = self.config.set(name, value);
        self.refused = self.refused.or(set.err());
        self
    }

    pub(super) fn path(self, name: &str, value: &Path) -> ConfigBuilder {
        match value.to_str() {
            Some(value) => self.text(name, value),
            None => self.refuse(format!("{name} is not UTF-8: {}", value.display())),
        }
    }

    pub(super) fn number(self, name: &str, value: u64) -> ConfigBuilder {
        self.text(name, &value.to_string())
    }

    pub(super) fn flag(self, name: &str, value: bool) -> ConfigBuilder {
        self.text(name, if value { "true" } else { "false" })
    }

    pub(super) fn millis(self, name: &str, value: Duration) -> ConfigBuilder {
        match value.subsec_nanos() % 1_000_000 {
            0 => self.text(name, &value.as_millis().to_string()),
            _ => self.refuse(format!(
                "{name} must be a whole number of milliseconds: {value:?}"
            )),
        }
    }

    pub(super) fn seconds(self, name: &str, value: Duration) -> ConfigBuilder {
        match value.subsec_nanos() {
            0 => self.number(name, value.as_secs()),
            _ => self.refuse(format!(
                "{name} must be a whole number of seconds: {value:?}"
            )),
        }
    }

    fn refuse(mut self, detail: String) -> ConfigBuilder {
        self.refused = self.refused.or(Some(Error::config(detail)));
        self
    }
}

/// Starts with the options that are set.
impl From<Config> for ConfigBuilder {
    fn from(config: Config) -> ConfigBuilder {
        ConfigBuilder {
            config,
            refused: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::setters::{Durability, SETTERS};
    use super::super::{Kind, OPTIONS};
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn builder_has_a_setter_for_every_option() {
        let names: Vec<&str> = SETTERS.iter().map(|(name, ..)| *name).collect();
        let options: Vec<&str> = OPTIONS.iter().map(|option| option.name).collect();
        assert_eq!(names, options);
        for ((name, value, set), option) in SETTERS.iter().zip(OPTIONS) {
            match set(Config::builder()).build() {
                Ok(config) => assert_eq!(config.get(name), Some(*value), "{name}"),
                // Texts and paths have their own checks, whose messages name the option.
                Err(e) => {
                    assert!(matches!(option.kind, Kind::Text | Kind::Path), "{e}");
                    assert!(e.detail().contains(name), "{e}");
                }
            }
        }
    }

    #[test]
    fn build_returns_the_first_refusal_when_several_values_are_refused() {
        let built = Config::builder()
            .cluster_id("w1")
            .timeout(Duration::ZERO)
            .max_attempts(99)
            .build();
        assert_eq!(
            built.unwrap_err().detail(),
            "timeout_ms must be a whole number from 1 to 300000: \"0\""
        );
    }

    #[test]
    fn duration_is_refused_when_the_unit_does_not_divide_it() {
        let refused = |builder: ConfigBuilder| builder.build().unwrap_err().detail().to_owned();
        assert_eq!(
            refused(Config::builder().timeout(Duration::from_micros(1500))),
            "timeout_ms must be a whole number of milliseconds: 1.5ms"
        );
        // Rounded to 0 seconds it would have another meaning.
        assert_eq!(
            refused(Config::builder().keep_alive(Duration::from_millis(500))),
            "keep_alive_s must be a whole number of seconds: 500ms"
        );
        assert_eq!(
            refused(Config::builder().timeout(Duration::from_secs(u64::MAX))),
            "timeout_ms must be a whole number from 1 to 300000: \"18446744073709551615000\""
        );
    }

    #[test]
    fn path_is_refused_when_it_is_not_utf_8() {
        let path = Path::new(OsStr::from_bytes(b"/spool\xff"));
        let error = Config::builder().spool(path).build().unwrap_err();
        assert!(
            error.detail().starts_with("spool is not UTF-8: /spool"),
            "{error}"
        );
    }

    #[test]
    fn builder_keeps_options_that_were_set_before() {
        let mut config = Config::new();
        config.set("market", "UK").unwrap();
        let built = ConfigBuilder::from(config)
            .durability(Durability::Disk)
            .build()
            .unwrap();
        assert_eq!(built.get("market"), Some("UK"));
        assert_eq!(built.get("durability"), Some("disk"));
    }
}
