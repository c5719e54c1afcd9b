//! Pictures: what the files hold, how large they are, and that nobody needs good eyes for them.

use std::fs;

use quietgrad_lab::report::{Axis, Figure, Ink, Panel, Ramp, Side, Table, front, sparkline};

fn numbers(svg: &str, before: &str) -> Vec<f64> {
    svg.split(before).skip(1).map(|rest| rest.split('"').next().unwrap().parse().unwrap()).collect()
}

/// A figure with everything in it.
fn crowded() -> Figure {
    let curve: Vec<(f64, f64)> = (0..800).map(|i| (f64::from(i), (f64::from(i) * 0.02).sin())).collect();
    let band: Vec<(f64, f64, f64)> = curve.iter().map(|&(x, y)| (x, y - 0.1, y + 0.1)).collect();
    let lines = Panel::new(Axis::linear("step"), Axis::linear("sine"))
        .title("a < b & c")
        .band(&band, Ink::Story)
        .line(&curve, Ink::Story)
        .label("one")
        .line(&curve, Ink::Second)
        .label("the other")
        .vertical(500.0, "here")
        .horizontal(0.0, "nothing");
    let circle = |x: f64, y: f64| (-(x * x + y * y)).exp();
    let field = Panel::new(Axis::linear("x"), Axis::linear("y"))
        .field((-2.0, 2.0), (-2.0, 2.0), (0.0, 1.0), circle)
        .dots(&[(0.0, 0.0)], Ink::Third)
        .label_at(0.0, "middle", Side::Above);
    let features: Vec<Vec<f64>> =
        (0..256).map(|i| (0..64).map(|j| f64::from((i * j) % 13)).collect()).collect();
    let rows = [vec![0.1, 0.9], vec![0.5, 0.2]];
    Figure::new("Everything at once, under a headline that is too long for one line of this width")
        .note("And a note.")
        .columns(2)
        .panel(lines)
        .panel(field)
        .panel(Panel::tiles(&features, 8, 32, Ramp::Signed))
        .panel(Panel::heat_map(&rows, ("", &["a", "b"]), ("", &["c", "d"]), (0.0, 1.0), 2))
        .panel(Panel::captioned(&[("a digit", features[5].clone())], 8, Ramp::Amount))
        .panel(Panel::new(Axis::linear("z"), Axis::linear("")).histogram(
            &[0.5, 1.5, 1.6],
            (0.0, 2.0),
            2,
            Ink::Fourth,
        ))
        .panel(
            Panel::new(Axis::log("L0"), Axis::log("loss"))
                .pareto(&[(1.0, 9.0), (10.0, 1.0), (9.0, 10.0)], Ink::Story),
        )
        .panel(
            Panel::new(Axis::linear("score"), Axis::names("", &["a", "b"]))
                .whiskers(&[(0.5, 0.4, 0.6, 0.0)], Ink::Story),
        )
}

#[test]
fn a_figure_is_two_files_of_well_formed_xml_below_100_kb() {
    let folder = tempfile::tempdir().unwrap();
    crowded().write(folder.path().join("all")).unwrap();
    let mut names: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["all-dark.svg", "all-light.svg"]);
    for name in names {
        let svg = fs::read_to_string(folder.path().join(name)).unwrap();
        assert!(svg.len() < 100_000, "{} bytes", svg.len());
        let mut open = Vec::new();
        for tag in svg.split('<').skip(1) {
            let (tag, text) = tag.split_once('>').expect("a tag that ends");
            assert!(!text.contains('>'), "{text:?}");
            assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
            let name = tag.split_whitespace().next().unwrap();
            match name.strip_prefix('/') {
                Some(name) => assert_eq!(open.pop(), Some(name)),
                None if !tag.ends_with('/') => open.push(name),
                None => {}
            }
        }
        assert!(open.is_empty(), "{open:?}");
        assert!(svg.contains("a &lt; b &amp; c"));
    }
}

#[test]
fn no_letter_is_smaller_than_14_pixels() {
    for svg in crowded().svg() {
        let shown = numbers(&svg, " width=\"")[0];
        let drawn: f64 =
            svg.split("viewBox=\"0 0 ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
        let sizes = numbers(&svg, "font-size=\"");
        assert!(sizes.len() > 30);
        assert!((700.0..=800.0).contains(&shown));
        for size in sizes {
            assert!(size * shown / drawn > 13.99, "{}", size * shown / drawn);
        }
    }
}

#[test]
fn the_page_is_light_in_one_file_and_dark_in_the_other() {
    let [light, dark] = crowded().svg();
    let page = |svg: &str| svg.split("fill=\"#").nth(1).unwrap()[..6].to_owned();
    assert_eq!((page(&light).as_str(), page(&dark).as_str()), ("FFFFFF", "0D1117"));
}

#[test]
fn everything_lies_on_the_page() {
    for svg in crowded().svg() {
        let mut size = svg.split("viewBox=\"0 0 ").nth(1).unwrap().split('"').next().unwrap().split(' ');
        let mut size = || size.next().unwrap().parse::<f64>().unwrap();
        let (wide, high) = (size(), size());
        let points: Vec<f64> = svg
            .split("points=\"")
            .skip(1)
            .flat_map(|rest| rest.split('"').next().unwrap().split([' ', ',']))
            .filter_map(|number| number.parse().ok())
            .collect();
        assert!(points.len() > 500);
        assert!(points.chunks(2).all(|p| p[0] >= 0.0 && p[0] <= wide && p[1] >= 0.0 && p[1] <= high));
        assert!(numbers(&svg, " x=\"").iter().all(|&x| x >= 0.0 && x <= wide));
        assert!(numbers(&svg, " y=\"").iter().all(|&y| y >= 0.0 && y <= high));
    }
}

#[test]
fn the_image_of_a_grid_holds_its_numbers() {
    let values = [0.0, 1.0, 0.5, f64::NAN];
    let panel = Panel::new(Axis::linear(""), Axis::linear("")).image(
        &values,
        2,
        (0.0, 1.0),
        Ramp::Signed,
        (0.0, 1.0),
        (0.0, 1.0),
    );
    let [light, _] = Figure::new("").panel(panel).svg();
    use base64::Engine;
    let uri = light.split("base64,").nth(1).unwrap().split('"').next().unwrap();
    let file = base64::engine::general_purpose::STANDARD.decode(uri).unwrap();
    let mut decoder = png::Decoder::new(std::io::Cursor::new(file));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    let (wide, high) = (info.width as usize, info.height as usize);
    let at = |x: usize, y: usize| &pixels[3 * (y * wide + x)..][..3];
    assert_eq!(at(0, 0), [0, 114, 178]);
    assert_eq!(at(wide - 1, 0), [213, 94, 0]);
    assert!(at(0, high - 1).iter().all(|&c| c > 250), "the middle of the ramp is the page's colour");
    assert_eq!(at(wide - 1, high - 1), [172, 178, 185], "no number: the colour of a gap");
}

#[test]
fn a_boundary_is_drawn_where_the_function_is_one_half() {
    // A straight line through the frame, from corner to corner of a half as large square.
    let panel = Panel::new(Axis::linear("").range(0.0, 1.0), Axis::linear("").range(0.0, 1.0)).field(
        (0.0, 1.0),
        (0.0, 1.0),
        (0.0, 1.0),
        |x, _| x + 0.25,
    );
    let [light, _] = Figure::new("").panel(panel).svg();
    let lines: Vec<Vec<(f64, f64)>> = light
        .split("points=\"")
        .skip(1)
        .map(|rest| {
            let points = rest.split('"').next().unwrap().split_whitespace();
            points
                .map(|p| p.split_once(',').unwrap())
                .map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap()))
                .collect()
        })
        .collect();
    let image = light.split("<image x=\"").nth(1).unwrap();
    let left: f64 = image.split('"').next().unwrap().parse().unwrap();
    let wide = numbers(image, " width=\"")[0];
    let boundary = lines.iter().find(|line| line.len() > 100).expect("one long line");
    assert!(boundary.iter().all(|(x, _)| (x - left - wide / 4.0).abs() <= 2.0), "at x = 1/4");
}

#[test]
fn lines_are_cut_at_the_frame_and_interrupted_where_there_is_no_number() {
    let axis = || Axis::linear("").range(0.0, 1.0);
    let count = |points: &[(f64, f64)]| {
        let empty = Figure::new("").panel(Panel::new(axis(), axis())).svg()[0].matches("<polyline").count();
        let [light, _] = Figure::new("").panel(Panel::new(axis(), axis()).line(points, Ink::Story)).svg();
        light.matches("<polyline").count() - empty
    };
    assert_eq!(count(&[(0.1, 0.1), (0.5, 0.5), (0.9, 0.1)]), 1);
    assert_eq!(count(&[(0.1, 0.1), (0.2, 0.2), (0.3, f64::NAN), (0.4, 0.1), (0.5, 0.1)]), 2);
    assert_eq!(count(&[(0.1, 0.1), (0.2, 5.0), (0.3, 0.1)]), 2);
    assert_eq!(count(&[(0.1, 3.0), (0.2, 5.0)]), 0);
}

#[test]
fn names_in_the_margin_do_not_overlap() {
    let panel = (0..6).fold(Panel::new(Axis::linear(""), Axis::linear("")), |panel, i| {
        panel
            .line(&[(0.0, 0.0), (1.0, f64::from(i) * 1e-3 + f64::from(i / 5))], Ink::Second)
            .label(format!("name{i}"))
    });
    let [light, _] = Figure::new("").panel(panel).svg();
    let mut places: Vec<f64> = light
        .split("<text")
        .filter(|text| text.contains("name"))
        .map(|text| numbers(text, " y=\"")[0])
        .collect();
    places.sort_by(f64::total_cmp);
    assert_eq!(places.len(), 6);
    assert!(places.windows(2).all(|pair| pair[1] - pair[0] >= 14.0 * 8.0), "{places:?}");
}

#[test]
fn the_front_holds_what_nothing_surpasses() {
    let points = [(3.0, 1.0), (1.0, 3.0), (2.0, 3.0), (2.0, 2.0), (4.0, 1.0), (f64::NAN, 0.0)];
    assert_eq!(front(&points), [(1.0, 3.0), (2.0, 2.0), (3.0, 1.0)]);
}

#[test]
fn a_sparkline_takes_anything() {
    assert_eq!(sparkline(&[], 10), "");
    assert_eq!(sparkline(&[3.0, 3.0], 10), "▁▁");
    assert_eq!(sparkline(&[f64::NAN], 10), " ");
    assert_eq!(sparkline(&(0..1000).map(f64::from).collect::<Vec<_>>(), 8), "▁▂▃▄▅▆▇█");
}

#[test]
fn degenerate_data_still_make_a_figure() {
    for points in
        [vec![], vec![(0.0, 0.0)], vec![(f64::NAN, f64::INFINITY)], vec![(-1.0, 1e300), (1.0, -1e300)]]
    {
        for axis in [Axis::linear("a"), Axis::log("b")] {
            let panel =
                Panel::new(axis.clone(), axis).line(&points, Ink::Story).dots(&points, Ink::Muted).label("c");
            let [light, _] = Figure::new("").panel(panel).svg();
            assert!(!light.contains("NaN") && light.ends_with("</svg>\n"), "{light}");
        }
    }
    assert!(Figure::new("").svg()[0].contains("<svg"));
}

#[test]
fn a_table_is_put_into_its_page_and_nowhere_else() {
    let docs = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(docs.path().join(name), text).unwrap();
    let read = |name: &str| fs::read_to_string(docs.path().join(name)).unwrap();
    fs::create_dir(docs.path().join("tables")).unwrap();
    write("page.md", "# A page\n\n<!-- tables/ways.md -->\nold\n<!-- end -->\n\nMore.\n");
    write("other.md", "<!-- tables/others.md -->\n<!-- end -->\n");
    let mut table = Table::new(&["way", "active"]);
    table.row(["l1".to_owned(), "29.5".to_owned()]);
    for _ in 0..2 {
        table.publish(docs.path(), "ways").unwrap();
        assert_eq!(read("tables/ways.md"), table.to_string());
        let expected = format!("# A page\n\n<!-- tables/ways.md -->\n\n{table}\n<!-- end -->\n\nMore.\n");
        assert_eq!(read("page.md"), expected);
    }
    assert_eq!(read("other.md"), "<!-- tables/others.md -->\n<!-- end -->\n");
    write("page.md", "<!-- tables/ways.md -->\nno end\n");
    let error = table.publish(docs.path(), "ways").unwrap_err();
    assert!(error.to_string().contains("no end of ways"), "{error}");
    assert_eq!(read("page.md"), "<!-- tables/ways.md -->\nno end\n");
}
