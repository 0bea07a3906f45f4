//! Small valid files of the kinds that clients read as media.

use std::io::Write;

/// A PNG of 16 by 16 pixels in one colour.
pub fn png(red: u8, green: u8, blue: u8) -> Vec<u8> {
    const SIZE: u32 = 16;
    let mut row = vec![0];
    row.extend([red, green, blue].repeat(SIZE as usize));
    let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    packer
        .write_all(&row.repeat(SIZE as usize))
        .expect("memory takes every write");
    let pixels = packer.finish().expect("memory takes every write");

    // Eight bits a channel, colour without alpha, no interlace.
    let header = [
        &SIZE.to_be_bytes()[..],
        &SIZE.to_be_bytes(),
        &[8, 2, 0, 0, 0],
    ]
    .concat();
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in [(b"IHDR", header), (b"IDAT", pixels), (b"IEND", Vec::new())] {
        let body = [&kind[..], &data].concat();
        file.extend(
            u32::try_from(data.len())
                .expect("it is small")
                .to_be_bytes(),
        );
        file.extend(&body);
        file.extend(crc32fast::hash(&body).to_be_bytes());
    }
    file
}

/// A PDF of one page with one line of text.
pub fn pdf(line: &str) -> Vec<u8> {
    let page = format!("BT /F1 24 Tf 72 720 Td ({line}) Tj ET");
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R \
         /Resources << /Font << /F1 5 0 R >> >> >>"
            .to_owned(),
        format!("<< /Length {} >>\nstream\n{page}\nendstream", page.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    let mut file = String::from("%PDF-1.4\n");
    let mut offsets = Vec::new();
    for (n, object) in objects.iter().enumerate() {
        offsets.push(file.len());
        file += &format!("{} 0 obj\n{object}\nendobj\n", n + 1);
    }
    let table = file.len();
    let rows: String = offsets
        .iter()
        .map(|offset| format!("{offset:010} 00000 n \n"))
        .collect();
    let size = objects.len() + 1;
    file += &format!("xref\n0 {size}\n0000000000 65535 f \n{rows}");
    file += &format!("trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n");
    file.into_bytes()
}
