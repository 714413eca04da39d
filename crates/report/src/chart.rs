//! One chart as inline SVG that follows the page's colours.
//!
//! plotters computes layout and drawing, but supports only fixed colours and whole pixels. So each ink is drawn in a
//! placeholder colour, which [`Chart::svg`] replaces by a CSS variable for light, dark and print; and everything is
//! drawn [`SCALE`] times too large inside a `viewBox`, which the page scales back.

use fireclay_train::metrics::Point;
use plotters::prelude::*;

use super::ReportError;
use super::curve::{MOST_POINTS, thin};
use super::format::{compact, escape};

/// Units of the drawing for one CSS pixel of the intended size.
const SCALE: u32 = 4;

/// The placeholder colours and their CSS variables, which style.css defines.
const INKS: [(RGBColor, &str); 5] = [
    (TRAIN, "var(--train)"),
    (RAW, "var(--raw)"),
    (VALIDATION, "var(--validation)"),
    (TEXT, "var(--quiet)"),
    (GRID, "var(--grid)"),
];
const TRAIN: RGBColor = RGBColor(1, 2, 3);
const RAW: RGBColor = RGBColor(1, 2, 4);
const VALIDATION: RGBColor = RGBColor(1, 2, 5);
const TEXT: RGBColor = RGBColor(1, 2, 6);
const GRID: RGBColor = RGBColor(1, 2, 7);

/// Style of a layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pen {
    /// The values of single steps, faint and thin.
    Raw,
    /// The main curve.
    Line,
    /// The main curve, with each point marked: for few points.
    Marked,
    /// Like `Marked`, in the colour of validation.
    Validation,
}

/// The size of the chart's layout in CSS pixels; the page may scale it.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

/// A chart over the steps of a stage.
pub struct Chart {
    /// Unique on the page, letters, digits and dashes.
    pub id: String,
    /// Title for screen readers.
    pub title: String,
    /// Description of the picture for screen readers.
    pub description: String,
    /// From the bottom layer to the top one; points must be finite and inside the frame.
    pub layers: Vec<(Pen, Vec<Point>)>,
    /// First and last step of the frame.
    pub steps: (f64, f64),
    /// Lowest and highest value of the frame.
    pub values: (f64, f64),
}

impl Chart {
    /// The chart as an `<svg>` element, of at most [`MOST_POINTS`] points a layer.
    ///
    /// # Errors
    /// When plotters cannot draw it, which no finite frame should cause.
    pub fn svg(&self, size: Size) -> Result<String, ReportError> {
        let mut drawing = String::new();
        self.draw(&mut drawing, size)
            .map_err(|error| ReportError::Chart { title: self.title.clone(), reason: error.to_string() })?;
        let body = drawing.split_once('>').map_or("", |(_, body)| body);
        let (Size { width, height }, id) = (size, format!("{}-{}", self.id, size.width));
        let mut svg = format!(
            "<svg class=\"plot w{width}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\" viewBox=\"0 0 {} {}\">\n\
             <title id=\"{id}-t\">{}</title><desc id=\"{id}-d\">{}</desc>{body}",
            width * SCALE,
            height * SCALE,
            escape(&self.title),
            escape(&self.description),
        );
        for (RGBColor(red, green, blue), variable) in INKS {
            svg = svg.replace(&format!("\"#{red:02X}{green:02X}{blue:02X}\""), &format!("\"{variable}\""));
        }
        Ok(svg.replace(" \"/>", "\"/>").replace(" opacity=\"1\"", ""))
    }

    fn draw(&self, drawing: &mut String, size: Size) -> Result<(), Box<dyn std::error::Error + '_>> {
        let root = SVGBackend::with_string(drawing, (size.width * SCALE, size.height * SCALE)).into_drawing_area();
        let mut chart = ChartBuilder::on(&root)
            .margin_top(8 * SCALE)
            .margin_right(18 * SCALE)
            .margin_bottom(2 * SCALE)
            .x_label_area_size(26 * SCALE)
            .y_label_area_size(52 * SCALE)
            .build_cartesian_2d(self.steps.0..self.steps.1, self.values.0..self.values.1)?;
        let label = ("sans-serif", 15 * SCALE).into_font().color(&TEXT);
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID.stroke_width(SCALE))
            .axis_style(GRID.stroke_width(SCALE))
            .label_style(label)
            .x_labels((size.width / 90) as usize)
            .y_labels((size.height / 45) as usize)
            .set_all_tick_mark_size(5 * SCALE)
            // Where there are few steps, marks fall between two of them.
            .x_label_formatter(&|step| if step.fract() == 0.0 { compact(*step) } else { String::new() })
            .y_label_formatter(&|value| compact(*value))
            .draw()?;
        for (pen, points) in &self.layers {
            let points = thin(points, MOST_POINTS);
            let (ink, width) = match pen {
                Pen::Raw => (RAW, SCALE),
                Pen::Line | Pen::Marked => (TRAIN, 2 * SCALE),
                Pen::Validation => (VALIDATION, 2 * SCALE),
            };
            // A line of one point would be invisible.
            let marked = matches!(pen, Pen::Marked | Pen::Validation) || points.len() == 1;
            chart.draw_series(LineSeries::new(points.iter().copied(), ink.stroke_width(width)))?;
            if marked {
                chart.draw_series(points.iter().map(|&point| Circle::new(point, 3 * SCALE, ink.filled())))?;
            }
        }
        root.present()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Size = Size { width: 360, height: 190 };

    fn chart(layers: Vec<(Pen, Vec<Point>)>) -> Chart {
        Chart {
            id: "pretrain-loss".into(),
            title: "Loss <raw>".into(),
            description: "falls & falls".into(),
            layers,
            steps: (0.0, 100.0),
            values: (0.0, 4.0),
        }
    }

    #[test]
    fn every_colour_is_one_of_the_page() {
        let points: Vec<Point> = (0..100).map(|i| (f64::from(i), 2.0)).collect();
        let pens = [Pen::Raw, Pen::Line, Pen::Validation];
        let svg = chart(pens.map(|pen| (pen, points.clone())).into()).svg(SMALL).expect("draws");
        assert!(!svg.contains('#'), "a colour of plotters is left: {svg}");
        for (_, variable) in INKS {
            assert!(svg.contains(variable), "{variable}");
        }
    }

    #[test]
    fn title_and_description_are_escaped_and_named_by_the_picture() {
        let svg = chart(Vec::new()).svg(SMALL).expect("draws");
        assert!(svg.contains("aria-labelledby=\"pretrain-loss-360-t pretrain-loss-360-d\""), "{svg}");
        assert!(svg.contains("<title id=\"pretrain-loss-360-t\">Loss &lt;raw&gt;</title>"), "{svg}");
        assert!(svg.contains(">falls &amp; falls</desc>"), "{svg}");
        assert!(svg.trim_end().ends_with("</svg>") && !svg.contains("xmlns"));
    }

    #[test]
    fn a_single_point_is_marked_and_many_are_thinned() {
        assert!(chart(vec![(Pen::Line, vec![(5.0, 1.0)])]).svg(SMALL).expect("draws").contains("<circle"));
        let many: Vec<Point> = (0..200_000).map(|i| (f64::from(i) / 2000.0, f64::from(i % 5))).collect();
        let svg = chart(vec![(Pen::Raw, many)]).svg(SMALL).expect("draws");
        assert!(svg.len() < 30_000, "{} bytes", svg.len());
    }
}
