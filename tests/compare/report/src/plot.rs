//! The plot: microseconds over the size of a user, both logarithmic, a line for each subject. On a ground of its own, so
//! that it reads the same on a light and on a dark page.

use std::fmt::Display;
use std::path::Path;

use anyhow::anyhow;
use plotters::coord::Shift;
use plotters::prelude::*;

/// Pixels: of the picture, and of the part that has the chart; the names stand beside it.
const SIZE: (u32, u32) = (1080, 600);
const CHART_WIDTH: i32 = 700;

/// Of a name beside the chart.
const ROW_HEIGHT: i32 = 28;
const NAMES_TOP: i32 = 60;

type Area<'p> = DrawingArea<SVGBackend<'p>, Shift>;
type Drawn<'p> = Result<(), DrawingAreaErrorKind<<SVGBackend<'p> as DrawingBackend>::ErrorType>>;

/// A line: its name, and a point for each size that was measured.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// For the legend.
    pub(crate) name: String,
    /// Whether it is the one to be compared with the others.
    pub(crate) is_ours: bool,
    /// Bytes, microseconds.
    pub(crate) points: Vec<(f64, f64)>,
}

impl Line {
    fn last(&self) -> f64 {
        self.points.last().map_or(0.0, |(_, us)| *us)
    }
}

/// Draws the lines into an SVG file.
///
/// # Errors
/// The file cannot be written, or there is nothing to draw.
pub(crate) fn draw(path: &Path, lines: &[Line]) -> anyhow::Result<()> {
    anyhow::ensure!(lines.iter().any(|line| !line.points.is_empty()), "nothing was measured");
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    let failed = |error: &dyn Display| anyhow!("cannot draw `{}`: {error}", path.display());
    area.fill(&WHITE).map_err(|error| failed(&error))?;
    let (left, right) = area.split_horizontally(CHART_WIDTH);
    // As they end at the right edge of the chart, so that a name is near its line.
    let mut lines: Vec<&Line> = lines.iter().collect();
    lines.sort_by(|one, other| other.last().total_cmp(&one.last()));
    chart(&left, &lines).map_err(|error| failed(&error))?;
    names(&right, &lines).map_err(|error| failed(&error))?;
    area.present().map_err(|error| failed(&error))
}

fn chart<'p>(area: &Area<'p>, lines: &[&Line]) -> Drawn<'p> {
    let points = || lines.iter().flat_map(|line| line.points.iter().copied());
    let bounds = |values: &mut dyn Iterator<Item = f64>| {
        values.fold((f64::MAX, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)))
    };
    let (first, last) = bounds(&mut points().map(|(bytes, _)| bytes));
    let (lowest, highest) = bounds(&mut points().map(|(_, us)| us));
    let mut chart = ChartBuilder::on(area)
        .caption("One verdict, from JSON text of both states", ("sans-serif", 20))
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(72)
        .build_cartesian_2d((first..last * 1.02).log_scale().base(2.0), (lowest * 0.7..highest * 1.5).log_scale())?;
    chart
        .configure_mesh()
        .x_desc("size of the user")
        .y_desc("µs, median")
        .x_label_formatter(&|bytes| format!("{:.0} KB", bytes / 1024.0))
        .y_label_formatter(&|us| format!("{us}"))
        .light_line_style(RGBColor(240, 240, 240))
        .label_style(("sans-serif", 14))
        .draw()?;
    for (place, line) in lines.iter().enumerate() {
        chart.draw_series(LineSeries::new(line.points.iter().copied(), style(place, line)).point_size(3))?;
    }
    Ok(())
}

fn names<'p>(area: &Area<'p>, lines: &[&Line]) -> Drawn<'p> {
    let mut y = NAMES_TOP;
    for (place, line) in lines.iter().enumerate() {
        area.draw(&PathElement::new([(0, y), (24, y)], style(place, line)))?;
        area.draw(&Text::new(line.name.clone(), (32, y - 7), ("sans-serif", 14)))?;
        y += ROW_HEIGHT;
    }
    Ok(())
}

fn style(place: usize, line: &Line) -> ShapeStyle {
    Palette99::pick(place).stroke_width(if line.is_ours { 4 } else { 2 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_the_order_in_which_the_lines_end() {
        let path = std::env::temp_dir().join(format!("scruple-plot-{}.svg", std::process::id()));
        let line =
            |name: &str, us| Line { name: name.to_owned(), is_ours: false, points: vec![(1024.0, 1.0), (2048.0, us)] };
        draw(&path, &[line("quick", 2.0), line("slow", 300.0)]).unwrap();
        let svg = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let at = |text: &str| svg.find(text).unwrap_or_else(|| panic!("no `{text}`: {svg}"));
        assert!(at("slow") < at("quick") && at("1 KB") < at("2 KB"), "{svg}");
        assert!(svg.trim_end().ends_with("</svg>"));
        assert!(draw(&path, &[]).is_err());
    }
}
