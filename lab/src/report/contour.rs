//! Where a function of the plane crosses a level.
//!
//! Source: marching squares; W. Lorensen and H. Cline, Marching cubes (1987), in two dimensions.

use std::collections::HashMap;

/// An edge of the grid, by the cell at its end with the lower numbers, and whether it leads down.
type Edge = (usize, usize, bool);

/// The lines on which the function crosses `level`, in numbers of columns and rows, of values given row by row.
pub(crate) fn contour(values: &[f64], width: usize, level: f64) -> Vec<Vec<(f64, f64)>> {
    let above = |row: usize, column: usize| values[row * width + column] > level;
    let mut links: HashMap<Edge, Vec<Edge>> = HashMap::new();
    let mut join = |a: Edge, b: Edge| {
        links.entry(a).or_default().push(b);
        links.entry(b).or_default().push(a);
    };
    for row in 0..values.len() / width - 1 {
        for column in 0..width - 1 {
            let (top, left) = ((row, column, false), (row, column, true));
            let (bottom, right) = ((row + 1, column, false), (row, column + 1, true));
            let corners = [
                above(row, column),
                above(row, column + 1),
                above(row + 1, column + 1),
                above(row + 1, column),
            ];
            let sides = [top, right, bottom, left];
            let crossed: Vec<Edge> =
                (0..4).filter(|&i| corners[i] != corners[(i + 1) % 4]).map(|i| sides[i]).collect();
            match crossed[..] {
                [a, b] => join(a, b),
                // A saddle: the two corners above the level are cut off from each other.
                [a, b, c, d] if corners[0] => {
                    join(a, d);
                    join(b, c);
                }
                [a, b, c, d] => {
                    join(a, b);
                    join(c, d);
                }
                _ => {}
            }
        }
    }

    // Between two cells, where the straight line through their values has the level.
    let point = |(row, column, down): Edge| {
        let (a, b) = (
            values[row * width + column],
            values[(row + usize::from(down)) * width + column + usize::from(!down)],
        );
        let share = (level - a) / (b - a);
        (column as f64 + if down { 0.0 } else { share }, row as f64 + if down { share } else { 0.0 })
    };
    // Lines that end at the grid's edge begin there; what is left are rings.
    let mut edges: Vec<Edge> = links.keys().copied().collect();
    edges.sort_unstable();
    edges.sort_by_key(|edge| links[edge].len());
    let mut lines = Vec::new();
    for start in edges {
        let mut line = vec![start];
        let mut at = start;
        while let Some(next) = links.get_mut(&at).and_then(Vec::pop) {
            let back = links.get_mut(&next).expect("both ends of a link are in the table");
            back.swap_remove(back.iter().position(|&edge| edge == at).expect("a link back"));
            line.push(next);
            at = next;
        }
        if line.len() > 1 {
            lines.push(line.into_iter().map(point).collect());
        }
    }
    lines
}
