//! What `/proc/self/smaps` says is mapped (proc(5)).

/// A part of the address space that is mapped in one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mapping {
    /// Where it begins.
    pub(crate) start: usize,
    /// Where it ends: the first address behind it.
    pub(crate) end: usize,
    /// `r-xp` and the like.
    permissions: String,
    /// A file's path begins with `/`.
    path: String,
    /// What of it is in memory, in kB.
    pub(crate) resident: u64,
    /// Pages that are no longer the file's, in memory and outside of it, in kB.
    anonymous: u64,
    swapped: u64,
}

impl Mapping {
    /// All of the text of `smaps`. Lines that cannot be read are passed over.
    pub(crate) fn all(smaps: &str) -> Vec<Self> {
        let mut mappings: Vec<Self> = Vec::new();
        for line in smaps.lines() {
            if let Some(mapping) = Self::head(line) {
                mappings.push(mapping);
            } else if let Some(mapping) = mappings.last_mut() {
                mapping.read_field(line);
            }
        }
        mappings
    }

    /// Whether it is code that stands in its file as it stands in memory: dropping its pages loses nothing. Where a debugger
    /// has set a breakpoint it is not.
    pub(crate) fn is_code_of_a_file(&self) -> bool {
        let is_code = self.permissions == "r-xp" && self.path.starts_with('/');
        is_code && self.anonymous == 0 && self.swapped == 0
    }

    /// Of a line like `5607-5608 r-xp 009bd000 fe:00 5868735    /usr/bin/lingate`.
    fn head(line: &str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let (start, end) = words.next()?.split_once('-')?;
        let address = |digits| usize::from_str_radix(digits, 16).ok();
        Some(Self {
            start: address(start)?,
            end: address(end)?,
            permissions: words.next()?.to_owned(),
            path: words.nth(3).unwrap_or_default().to_owned(),
            resident: 0,
            // Until the lines are seen that say otherwise, it is left alone.
            anonymous: u64::MAX,
            swapped: u64::MAX,
        })
    }

    /// Of a line like `Rss:    512 kB`.
    fn read_field(&mut self, line: &str) {
        let Some((name, value)) = line.split_once(':') else {
            return;
        };
        let kilobytes = || value.split_ascii_whitespace().next()?.parse().ok();
        match name {
            "Rss" => self.resident = kilobytes().unwrap_or(0),
            "Anonymous" => self.anonymous = kilobytes().unwrap_or(u64::MAX),
            "Swap" => self.swapped = kilobytes().unwrap_or(u64::MAX),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(head: &str, fields: &str) -> bool {
        let [mapping] = &Mapping::all(&format!("{head}\n{fields}"))[..] else {
            panic!("{head}");
        };
        assert_eq!((mapping.start, mapping.end), (0x1000, 0x3000));
        mapping.is_code_of_a_file()
    }

    #[test]
    fn only_code_that_stands_in_its_file_is_taken() {
        let clean = "Size: 8 kB\nRss:   4 kB\nPrivate_Clean: 4 kB\nAnonymous:  0 kB\nSwap: 0 kB\nVmFlags: rd ex\n";
        let code = "1000-3000 r-xp 00001000 fe:00 77    /opt/a b/lingate";
        assert!(check(code, clean));
        assert!(check(&format!("{code} (deleted)"), clean));
        for other in [
            "1000-3000 r--p 00001000 fe:00 77    /opt/lingate",
            "1000-3000 rwxp 00001000 fe:00 77    /opt/lingate",
            "1000-3000 r-xs 00001000 fe:00 77    /opt/lingate",
            "1000-3000 r-xp 00000000 00:00 0",
            "1000-3000 r-xp 00000000 00:00 0    [vdso]",
        ] {
            assert!(!check(other, clean), "{other}");
        }
        // A breakpoint, one that is swapped out, and systems that do not tell.
        for fields in [
            "Rss: 4 kB\nAnonymous: 4 kB\nSwap: 0 kB\n",
            "Rss: 4 kB\nAnonymous: 0 kB\nSwap: 4 kB\n",
            "Rss: 4 kB\nAnonymous: 0 kB\n",
            "Rss: 4 kB\nSwap: 0 kB\n",
            "Anonymous: ?\nSwap: 0 kB\n",
        ] {
            assert!(!check(code, fields), "{fields}");
        }
    }

    #[test]
    fn each_mapping_has_its_own_fields() {
        let mappings = Mapping::all(
            "nothing\n1-2 r-xp 0 0:0 1 /a\nRss: 3 kB\nSwap: 0 kB\n2-3 r--p 0 0:0 1 /a\nRss: 5 kB\n",
        );
        let resident: Vec<u64> = mappings.iter().map(|mapping| mapping.resident).collect();
        assert_eq!(resident, [3, 5]);
    }
}
