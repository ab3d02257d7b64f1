//! The request target (RFC 9112, 3.2): where a request goes, and what the backend is told of it.

use super::host;
use super::message::{Method, Refusal};

/// A request target, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target<'b> {
    /// The authority of an absolute-form target: it wins over Host.
    pub(super) authority: Option<&'b str>,
    /// Path and query as they came, or `*`. After an authority the path may be missing: see [`Target::write`].
    pub(super) path: &'b str,
}

impl<'b> Target<'b> {
    pub(super) fn parse(text: &'b str, method: Method) -> Result<Target<'b>, Refusal> {
        // Without a branch, so that it is done many bytes at a time.
        let bad = |bad, byte: &u8| bad | u8::from(!matches!(byte, 0x21..=0x7e)) | u8::from(*byte == b'#');
        if text.as_bytes().iter().fold(0, bad) != 0 {
            return Err(Refusal::new(400, "bad_byte_in_target"));
        }
        if text.starts_with('/') {
            return Ok(Target { authority: None, path: text });
        }
        if text == "*" && method == Method::Options {
            return Ok(Target { authority: None, path: text });
        }
        Target::absolute(text, method)
    }

    fn absolute(text: &'b str, method: Method) -> Result<Target<'b>, Refusal> {
        let after = |scheme: &str| {
            let (start, rest) = text.split_at_checked(scheme.len())?;
            start.eq_ignore_ascii_case(scheme).then_some(rest)
        };
        let rest = after("http://").or_else(|| after("https://")).ok_or(Refusal::new(400, "bad_target"))?;
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(Refusal::new(400, "userinfo_in_target"));
        }
        let authority =
            host::authority(authority.as_bytes()).ok_or(Refusal::new(400, "bad_authority_in_target"))?;
        let path = if path.is_empty() && method == Method::Options { "*" } else { path };
        Ok(Target { authority: Some(authority), path })
    }

    /// Appends it in origin-form (or asterisk-form).
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        if !self.path.starts_with(['/', '*']) {
            out.push(b'/');
        }
        out.extend_from_slice(self.path.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forwarded(text: &str, method: Method) -> Result<(Option<&str>, String), &'static str> {
        let target = Target::parse(text, method).map_err(|refusal| refusal.why)?;
        let mut out = Vec::new();
        target.write(&mut out);
        Ok((target.authority, String::from_utf8(out).expect("ASCII")))
    }

    #[test]
    fn accepted_targets() {
        let cases = [
            ("/", Method::Get, None, "/"),
            ("/a//b/../%zz?q=\"'|\\^`{}", Method::Get, None, "/a//b/../%zz?q=\"'|\\^`{}"),
            ("//a@b", Method::Get, None, "//a@b"),
            ("*", Method::Options, None, "*"),
            ("http://a.example", Method::Get, Some("a.example"), "/"),
            ("HTTP://a.example:8080/x?y", Method::Get, Some("a.example:8080"), "/x?y"),
            ("https://[::1]?y=/", Method::Get, Some("[::1]"), "/?y=/"),
            ("http://a", Method::Options, Some("a"), "*"),
            ("http://a/", Method::Options, Some("a"), "/"),
            ("http://a?b", Method::Options, Some("a"), "/?b"),
        ];
        for (text, method, authority, path) in cases {
            assert_eq!(forwarded(text, method), Ok((authority, path.to_owned())), "{text}");
        }
    }

    #[test]
    fn refused_targets() {
        let cases = [
            ("*", Method::Get, "bad_target"),
            ("**", Method::Options, "bad_target"),
            ("a/b", Method::Get, "bad_target"),
            ("a:443", Method::Get, "bad_target"),
            ("?a", Method::Get, "bad_target"),
            ("ftp://a/", Method::Get, "bad_target"),
            ("http:/a", Method::Get, "bad_target"),
            ("http://", Method::Get, "bad_authority_in_target"),
            ("http:///a", Method::Get, "bad_authority_in_target"),
            ("http://:80/", Method::Get, "bad_authority_in_target"),
            ("http://a:b/", Method::Get, "bad_authority_in_target"),
            ("http://u@a/", Method::Get, "userinfo_in_target"),
            ("http://u:p@a/", Method::Get, "userinfo_in_target"),
            ("/a#b", Method::Get, "bad_byte_in_target"),
            ("/é", Method::Get, "bad_byte_in_target"),
            ("/a\tb", Method::Get, "bad_byte_in_target"),
        ];
        for (text, method, why) in cases {
            assert_eq!(forwarded(text, method), Err(why), "{text}");
        }
    }
}
