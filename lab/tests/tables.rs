//! Tables as text.

use std::fs;
use std::path::{Path, PathBuf};

use quietgrad_lab::Place;
use quietgrad_lab::data::csv::{Missing, Options, Reader, Row, Table, read, write};
use quietgrad_lab::data::{Array, npy};
use tempfile::{TempDir, tempdir};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files").join(name)
}

/// A file with this text, and the folder that holds it.
fn file(text: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let folder = tempdir().unwrap();
    let path = folder.path().join("table.csv");
    fs::write(&path, text).unwrap();
    (folder, path)
}

fn table(text: impl AsRef<[u8]>, options: &Options) -> Table<f64> {
    let (_folder, path) = file(text);
    read(path, options).unwrap()
}

/// The error of a text that is no table of numbers, without the path.
fn refused(text: impl AsRef<[u8]>, options: &Options) -> String {
    let (_folder, path) = file(text);
    let error = read::<f64>(&path, options).unwrap_err();
    assert_eq!(error.path(), path);
    error.to_string().strip_prefix(&format!("{}: ", path.display())).expect("the path comes first").to_owned()
}

fn header() -> Options {
    Options::with_header()
}

fn no_header() -> Options {
    Options::without_header()
}

#[test]
fn a_header_names_the_columns_and_without_one_they_have_numbers() {
    let found = table("a,b\n1,2\n3,4\n", &header());
    assert_eq!(
        (found.names.clone(), found.numbers),
        (vec!["a".into(), "b".into()], Array::new([2, 2], vec![1.0, 2.0, 3.0, 4.0]))
    );
    assert_eq!(found.names.iter().position(|name| name == "b"), Some(1));
    let found = table("1,2\n3,4\n", &no_header());
    assert_eq!(found.names, ["column 1", "column 2"]);
    assert_eq!(found.numbers.data(), [1.0, 2.0, 3.0, 4.0]);
}

#[test]
fn a_mark_of_byte_order_carriage_returns_and_a_missing_last_line_end_change_nothing() {
    let plain = table("a,b\n1,2\n3,4\n", &header());
    for text in [
        "\u{feff}a,b\n1,2\n3,4\n",
        "a,b\r\n1,2\r\n3,4\r\n",
        "a,b\n1,2\n3,4",
        "\u{feff}a,b\r\n1,2\r\n\r\n3,4\r\n\r\n",
    ] {
        assert_eq!(table(text, &header()), plain, "{text:?}");
    }
    assert_eq!(table("\u{feff}1,2\n", &no_header()).numbers.data(), [1.0, 2.0]);
    assert_eq!(table("\u{feff}\"a\",b\n1,2\n", &header()).names, ["a", "b"]);
}

#[test]
fn numbers_are_read_to_the_nearest_float_with_blanks_around() {
    let text = " 1.5 ,-2e-3,+.5,5.,1e308,-inf,0.1\n";
    assert_eq!(
        table(text, &no_header()).numbers.data(),
        [1.5, -2e-3, 0.5, 5.0, 1e308, f64::NEG_INFINITY, 0.1]
    );
    let (_folder, path) = file("0.1,16777217\n");
    assert_eq!(read::<f32>(&path, &no_header()).unwrap().numbers.data(), [0.1f32, 16777216.0]);
    assert_eq!(
        refused("1e400\n", &no_header()),
        "line 1, column 1: \"1e400\" is no f64; if the column holds words, name it in `words`"
    );
}

#[test]
fn whole_numbers_are_exact_or_refused() {
    let (_folder, path) = file("9007199254740993,3.0\n");
    assert_eq!(read::<i64>(&path, &no_header()).unwrap().numbers.data(), [9007199254740993, 3]);
    let (_folder, path) = file("1,2.5\n");
    let error = read::<i64>(&path, &no_header()).unwrap_err();
    assert_eq!(*error.place(), Place::Cell { line: 1, column: 2, name: None });
}

#[test]
fn a_missing_value_is_refused_with_its_line_and_column() {
    assert_eq!(refused("a,b\n1,2\n3,\n", &header()), "line 3, column 2 (\"b\"): the value is missing (\"\")");
    assert_eq!(refused("1,2\nNA,4\n", &no_header()), "line 2, column 1: the value is missing (\"NA\")");
    assert_eq!(
        refused("1,2\r\n3,4\r\n5, nan \r\n", &no_header()),
        "line 3, column 2: the value is missing (\"nan\")"
    );
}

#[test]
fn a_missing_value_is_nan_and_listed_or_its_row_is_left_out_and_listed() {
    let text = "a,b\n1,2\n?,4\n5,6\n7,NULL\n";
    let found = table(text, &header().missing(Missing::Nan));
    assert_eq!(found.missing, [(1, 0), (3, 1)]);
    assert!(found.numbers.data()[2].is_nan() && found.numbers.data()[7].is_nan());
    assert_eq!(found.numbers.data().iter().filter(|x| x.is_nan()).count(), 2);

    let found = table(text, &header().missing(Missing::LeaveOut));
    assert_eq!(found.left_out, [3, 5]);
    assert_eq!(found.numbers.data(), [1.0, 2.0, 5.0, 6.0]);
    assert!(found.missing.is_empty());

    let found = table("-99,1\n", &no_header().missing(Missing::Nan).missing_words(["-99"]));
    assert_eq!(found.missing, [(0, 0)]);
}

#[test]
fn a_missing_whole_number_cannot_become_nan() {
    let (_folder, path) = file("1,\n");
    let error = read::<i32>(&path, &no_header().missing(Missing::Nan)).unwrap_err();
    assert!(error.to_string().contains("a missing i32 cannot be NaN"), "{error}");
    let found = read::<i32>(&path, &no_header().missing(Missing::LeaveOut)).unwrap();
    assert_eq!((found.numbers.shape(), found.left_out), (&[0, 2][..], vec![1]));
}

#[test]
fn a_decimal_comma_is_an_error_with_line_and_column() {
    for cell in ["1,5", "-0,25", "1.234,5", "1,5e3", "1,234"] {
        let text = format!("a;b\n1;2\n3;{cell}\n");
        let expected =
            format!("line 3, column 2 (\"b\"): expected a decimal point, found a comma in {cell:?}");
        assert_eq!(refused(&text, &header().delimiter(b';')), expected);
    }
    assert_eq!(
        refused("a,b\n1,\"2,5\"\n", &header()),
        "line 2, column 2 (\"b\"): expected a decimal point, found a comma in \"2,5\""
    );
    let error =
        read::<f64>(fixture("decimal_comma.csv"), &header().delimiter(b';').words(["kind"])).unwrap_err();
    assert_eq!(*error.place(), Place::Cell { line: 2, column: 2, name: Some("x".into()) });
}

#[test]
fn another_mark_between_cells_is_guessed_in_the_error() {
    let text = refused("a;b\n1;2\n", &header());
    assert!(text.ends_with("are the cells separated by another mark?"), "{text}");
}

#[test]
fn quoted_line_breaks_belong_to_their_cell_and_lines_are_counted_right() {
    let text = "kind,x\r\n\"two\r\nlines\",1\r\n\"say \"\"hi\"\"\",2\r\nplain,oops\r\n";
    let options = header().words(["kind"]);
    assert!(refused(text, &options).starts_with("line 5, column 2 (\"x\"): \"oops\" is no f64"));
    let found = table(text.replace("oops", "3"), &options);
    assert_eq!(
        found.words,
        [("kind".to_owned(), vec!["two\r\nlines".into(), "say \"hi\"".into(), "plain".into()])]
    );
    assert_eq!(found.numbers, Array::new([3, 1], vec![1.0, 2.0, 3.0]));
    for line in ["\n", "\r\n"] {
        let text = ["a,b", "1,2", "", "3,4", "5"].join(line);
        assert_eq!(
            refused(text, &header()),
            "line 5: expected 2 cells as in the first row, found 1",
            "{line:?}"
        );
    }
}

#[test]
fn a_row_of_another_length_is_refused() {
    assert_eq!(refused("a,b\n1,2\n3\n", &header()), "line 3: expected 2 cells as in the first row, found 1");
    assert_eq!(refused("a,b\n1,2,\n", &header()), "line 2: expected 2 cells as in the first row, found 3");
}

#[test]
fn an_empty_line_in_a_table_of_one_column_is_not_passed_over() {
    let text = refused("x\n1\n\n3\n", &header());
    assert_eq!(text, "line 3: an empty line in a table of one column: is its value missing?");
    assert_eq!(table("x\n1\n3\n\n\n", &header()).numbers.data(), [1.0, 3.0]);
}

#[test]
fn a_quotation_mark_that_is_not_closed_is_refused() {
    let expected = "line 3: a quotation mark is not closed, or stands in a cell without quotes";
    assert_eq!(refused("a,b\n1,2\n\"3,4\n5,6\n", &header()), expected);
    assert_eq!(refused("a,b\n1,2\n3,4\"\n", &header()), expected);
    assert_eq!(refused("a,b\r\n1,2\r\n\"3,4\r\n5,6\r\n", &header()), expected);
}

#[test]
fn columns_must_have_names_of_their_own_and_columns_of_words_must_exist() {
    assert_eq!(refused("a,b,a\n", &header()), "line 1, column 3: two columns are called \"a\"");
    let text = refused("a,b\n1,2\n", &header().words(["kind"]));
    assert_eq!(text, "line 1: expected a column \"kind\" of words; the columns are [\"a\", \"b\"]");
}

#[test]
fn what_is_no_utf_8_is_refused() {
    assert_eq!(refused("", &header()), "expected a table, found no line");
    assert_eq!(refused(b"\xff\xfea\0,\0", &header()), "expected UTF-8, found the mark of UTF-16");
    assert_eq!(refused(b"a,b\n1,\xff\n", &header()), "line 2, column 2 (\"b\"): expected UTF-8");
    let text = refused(b"caf\xe9,b\n", &header());
    assert_eq!(text, "line 1, column 1: expected a column's name in UTF-8");
}

#[test]
fn a_table_of_a_header_alone_has_no_rows() {
    let found = table("a,b\n", &header());
    assert_eq!((found.numbers.shape(), found.names.len()), (&[0, 2][..], 2));
}

#[test]
fn words_become_classes_in_alphabetic_order() {
    let found = table("kind,x\nb,1\na,2\nb,3\n", &header().words(["kind"]));
    assert_eq!(found.classes("kind"), Some((vec![1, 0, 1], vec!["a".into(), "b".into()])));
    assert_eq!(found.classes("x"), None);
    assert_eq!(found.column("x"), Some(0));
}

#[test]
fn tables_written_by_pandas_and_numpy_are_read_to_the_last_bit() {
    let found = read::<f64>(fixture("pandas.csv"), &header()).unwrap();
    assert_eq!(found.names, ["wide, quoted", "with \"marks\""]);
    assert_eq!(found.numbers, npy::read(fixture("pandas.npy")).unwrap());

    let options = header().words(["kind"]).missing(Missing::Nan);
    let words = read::<f64>(fixture("pandas_words.csv"), &options).unwrap();
    assert_eq!(words.words[0].1, ["b", "a", "two\nlines", "b", "a, too"]);
    assert_eq!(words.missing, [(1, 0)]);
    assert_eq!(words.numbers.data()[3..], found.numbers.data()[3..]);

    let found = read::<f64>(fixture("savetxt.csv"), &no_header()).unwrap();
    assert_eq!(found.numbers.shape(), [3, 4]);
}

#[test]
fn what_is_written_is_read_back_to_the_last_bit() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("out.csv");
    let numbers = vec![0.1, -0.0, 1e300, 5e-324, f64::INFINITY, 1.0 / 3.0];
    let array = Array::new([2, 3], numbers);
    write(&path, &["a", "b, \"c\"", "d"], &array).unwrap();
    let found = read::<f64>(&path, &header()).unwrap();
    assert_eq!(found.names, ["a", "b, \"c\"", "d"]);
    let bits = |array: &Array<f64>| array.data().iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&found.numbers), bits(&array));

    write(&path, &["x"], &Array::new([2, 1], vec![1.0f32, f32::NAN])).unwrap();
    let found = read::<f32>(&path, &header().missing(Missing::Nan)).unwrap();
    assert_eq!((found.numbers.data()[0], found.missing), (1.0, vec![(1, 0)]));

    assert!(write(&path, &["a"], &array).unwrap_err().to_string().contains("expected a table of 1 columns"));
}

#[test]
fn rows_are_read_one_at_a_time() {
    let (_folder, path) = file("1,2\n3,4\n");
    let mut reader = Reader::<f32>::open(&path, &no_header()).unwrap();
    let mut row = Row::default();
    assert!(reader.read(&mut row).unwrap());
    assert_eq!(row, Row { line: 1, numbers: vec![1.0, 2.0], words: vec![], missing: vec![] });
    assert!(reader.read(&mut row).unwrap());
    assert_eq!((row.line, &row.numbers[..]), (2, &[3.0, 4.0][..]));
    assert!(!reader.read(&mut row).unwrap());
    assert!(!reader.read(&mut row).unwrap());
}
