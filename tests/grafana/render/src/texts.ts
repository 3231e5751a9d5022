// Reads what is written on a drawn dashboard, to be compared with what the queries answer.

type Written = {
  title: string;
  /** A table's heads, and its cells by row. */
  heads: string[];
  rows: string[][];
  /** A legend's rows: the name and, in a table, the number of each. */
  legend: string[][];
  /** All of it. */
  text: string;
  /** Where links in cells lead. */
  links: string[];
};

const written = (one: Element) => one.textContent!.trim();
const all = (one: Element, selector: string) => [...one.querySelectorAll(selector)];
const testId = (value: string) => `[data-testid="data-testid ${value}"]`;

function legend(panel: Element): string[][] {
  const rows = all(panel, `${testId('viz-layout-legend')} tbody tr`);
  if (rows.length) return rows.map((row) => all(row, 'td').map(written).filter(Boolean));
  return all(panel, '[data-testid^="data-testid VizLegend series"]').map((one) => [written(one)]);
}

/** What is written on each panel, in the order of the panels. */
export function texts(): Written[] {
  return all(document.body, '[data-panel]').map((panel) => ({
    title: (panel as HTMLElement).dataset.panel!,
    heads: all(panel, '[role=columnheader]').map(written),
    rows: all(panel, '[role=row]')
      .map((row) => all(row, '[role=gridcell]').map(written))
      .filter((cells) => cells.length > 0),
    legend: legend(panel),
    text: all(panel, testId('panel content')).map(written).join(' '),
    links: all(panel, '[role=gridcell] a').map((one) => one.getAttribute('href') ?? ''),
  }));
}
