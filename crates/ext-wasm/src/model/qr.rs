//! A text as a QR code, for cameras: one path of an SVG picture. Where it is shown, its field must be white and the path
//! black whatever the page's colors are, since many cameras read no other.

use qrcode::{Color, EcLevel, QrCode};

/// Modules of white on each side, as ISO 18004 wants them.
const QUIET: usize = 4;

/// A picture: its `viewBox`, where each module is one by one, and the path of the dark modules.
pub struct Picture {
    /// For the `svg` element.
    pub view_box: String,
    /// For its `path`.
    pub path: String,
}

impl core::fmt::Debug for Picture {
    /// Not what it says, which may be a secret.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Picture").finish_non_exhaustive()
    }
}

impl Picture {
    /// The picture of a text. `None` if it is longer than any QR code.
    pub fn of(text: &str) -> Option<Self> {
        let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
        let width = code.width();
        let colors = code.into_colors();
        let mut path = String::new();
        for (y, row) in colors.chunks(width).enumerate() {
            let mut x = 0;
            for run in row.chunk_by(Color::eq) {
                if run.first() == Some(&Color::Dark) {
                    let length = run.len().to_string();
                    let at = [(x + QUIET).to_string(), (y + QUIET).to_string()];
                    let run = ["M", &at[0], " ", &at[1], "h", &length, "v1h-", &length, "z"];
                    path.push_str(&run.concat());
                }
                x += run.len();
            }
        }
        let side = (width + 2 * QUIET).to_string();
        let view_box = ["0 0 ", &side, " ", &side].concat();
        Some(Self { view_box, path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: &str = "https://ferry.example.org/#code=A1B20XYZ";

    /// The picture's modules, read from its path alone.
    fn modules(picture: &Picture) -> Vec<Vec<bool>> {
        let side: usize = picture
            .view_box
            .rsplit(' ')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        let mut modules = vec![vec![false; side]; side];
        for run in picture.path.split_terminator('z') {
            let run = run.strip_prefix('M').unwrap();
            let (at, lines) = run.split_once('h').unwrap();
            let (x, y) = at.split_once(' ').unwrap();
            let (length, back) = lines.split_once("v1h-").unwrap();
            assert_eq!(length, back);
            let (x, y): (usize, usize) = (x.parse().unwrap(), y.parse().unwrap());
            modules[y][x..x + length.parse::<usize>().unwrap()].fill(true);
        }
        modules
    }

    #[test]
    fn the_picture_has_the_encoders_modules_inside_a_quiet_zone() {
        let modules = modules(&Picture::of(LINK).unwrap());
        let code = QrCode::with_error_correction_level(LINK, EcLevel::M).unwrap();
        assert_eq!(modules.len(), code.width() + 2 * QUIET);
        let inside = QUIET..QUIET + code.width();
        for (y, row) in modules.iter().enumerate() {
            for (x, dark) in row.iter().enumerate() {
                let expected = inside.contains(&x)
                    && inside.contains(&y)
                    && code[(x - QUIET, y - QUIET)] == Color::Dark;
                assert_eq!(*dark, expected, "{x}, {y}");
            }
        }
    }

    #[test]
    fn the_link_stays_coarse_enough_for_a_small_picture() {
        // Version 4: 33 modules.
        assert!(modules(&Picture::of(LINK).unwrap()).len() <= 33 + 2 * QUIET);
    }

    #[test]
    fn what_is_too_long_has_no_picture() {
        assert!(Picture::of(&"x".repeat(3_000)).is_none());
    }
}
