/** Pictures as SVG: what every chart is made of. Readable on light and dark pages alike. */

export const SVG_WIDTH = 760;
export const SVG_MARGIN = 20;
export const GRID = "#ccc";

export interface SvgPage {
  readonly heading: string;
  readonly height: number;
  /** Elements, below the heading. */
  readonly parts: readonly string[];
}

/** The text of a file. The heading takes the first 46 rows. */
export const svgPage = ({ heading, height, parts }: SvgPage): string =>
  [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${SVG_WIDTH} ${height}" role="img" font-family="sans-serif" font-size="13">`,
    `<title>${escaped(heading)}</title>`,
    `<rect width="${SVG_WIDTH}" height="${height}" fill="#fff"/>`,
    svgText(SVG_MARGIN, 28, heading, 'font-size="17" font-weight="bold"'),
    ...parts,
    "</svg>",
    "",
  ].join("\n");

export const svgText = (x: number, y: number, content: string, more = ""): string =>
  `<text x="${x.toFixed(1)}" y="${y}"${more === "" ? "" : ` ${more}`}>${escaped(content)}</text>`;

/** Three digits, thousands apart. */
export const written = (value: number): string =>
  Number(value.toPrecision(3)).toLocaleString("en-US", { maximumSignificantDigits: 3 });

const escaped = (content: string): string =>
  content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
