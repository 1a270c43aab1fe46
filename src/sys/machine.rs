//! What this machine says of itself.

use std::path::Path;

/// Whose virtual machine this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cloud {
    /// Amazon EC2.
    Amazon,
    /// Google Compute Engine.
    Google,
    /// Microsoft Azure.
    Azure,
}

/// Whose virtual machine this is, as its firmware says; also seen from a container on it. `None` on other
/// machines, and on systems where it is not known how to ask.
///
/// Sources: `OnGCE` of Google's Go library; Amazon's "Detect whether a host is an EC2 instance"; the chassis
/// asset tag by which cloud-init knows Azure.
#[must_use]
pub fn cloud() -> Option<Cloud> {
    cloud_of(Path::new("/sys/class/dmi/id"))
}

fn cloud_of(firmware: &Path) -> Option<Cloud> {
    let says = |name: &str, what: &str| {
        std::fs::read_to_string(firmware.join(name)).is_ok_and(|text| text.trim().starts_with(what))
    };
    if says("sys_vendor", "Amazon EC2") || says("bios_vendor", "Amazon EC2") || says("bios_version", "4.2.amazon") {
        Some(Cloud::Amazon)
    } else if says("product_name", "Google") {
        Some(Cloud::Google)
    } else if says("chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77") {
        Some(Cloud::Azure)
    } else {
        None
    }
}

/// The name of this machine in its network; empty when it has none.
#[must_use]
pub fn host_name() -> String {
    #[cfg(unix)]
    {
        rustix::system::uname().nodename().to_string_lossy().into_owned()
    }
    #[cfg(not(unix))]
    {
        std::env::var("COMPUTERNAME").unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cloud_is_known_by_its_firmware() {
        let of = |name: &str, text: &str| {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join(name), text).unwrap();
            cloud_of(folder.path())
        };
        assert_eq!(of("sys_vendor", "Amazon EC2\n"), Some(Cloud::Amazon));
        assert_eq!(of("product_name", "Google Compute Engine\n"), Some(Cloud::Google));
        assert_eq!(of("chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77\n"), Some(Cloud::Azure));
        assert_eq!(of("sys_vendor", "QEMU\n"), None);
    }
}
