// Finds on a drawn dashboard what a person could not read.

/** Texts that end before their end: leaves that hide what is too wide, and heads of columns. */
function cut(panel: HTMLElement): string[] {
  const found: string[] = [];
  for (const one of panel.querySelectorAll<HTMLElement>('*')) {
    const text = one.textContent?.trim();
    // A text of one pixel is for screen readers only.
    if (one.children.length || !text || one.clientWidth <= 1) continue;
    const hides = ['hidden', 'clip'].includes(getComputedStyle(one).overflowX);
    const head = one.closest('[role=columnheader]');
    const beyond = head && one.getBoundingClientRect().right - head.getBoundingClientRect().right;
    if ((hides && one.scrollWidth > one.clientWidth + 1) || (beyond ?? 0) > 1) {
      found.push(`cut: ${text.slice(0, 60)}`);
    }
  }
  for (const icon of panel.querySelectorAll('[role=columnheader] svg')) {
    const head = icon.closest('[role=columnheader]')!;
    if (icon.getBoundingClientRect().right - head.getBoundingClientRect().right > 1) {
      found.push(`cut: arrow of ${head.textContent!.trim()}`);
    }
  }
  return found;
}

/** Texts that are higher than what shows them. */
function high(panel: HTMLElement): string[] {
  const found: string[] = [];
  const content = panel.querySelector('[data-testid="data-testid panel content"]');
  for (const one of content?.querySelectorAll<HTMLElement>('*') ?? []) {
    const text = one.textContent?.trim();
    if (one.children.length || !text || one.clientWidth === 1) continue;
    const range = document.createRange();
    range.selectNodeContents(one);
    const own = range.getBoundingClientRect();
    for (let box = one.parentElement!; box !== panel; box = box.parentElement!) {
      const flow = getComputedStyle(box).overflowY;
      if (['auto', 'scroll'].includes(flow)) break;
      const edge = box.getBoundingClientRect();
      const beyond = Math.max(edge.top - own.top, own.bottom - edge.bottom);
      // The box of a text is higher than its letters, by more in a big font.
      const blank = 0.2 * parseFloat(getComputedStyle(one).fontSize);
      if ((box === content || flow !== 'visible') && beyond > blank) {
        found.push(`cut: ${text.slice(0, 60)}`);
        break;
      }
    }
  }
  return found;
}

/** Tables wider than their panel, and legends of which one cannot see all. */
function hidden(panel: HTMLElement): string[] {
  const found: string[] = [];
  for (const one of panel.querySelectorAll<HTMLElement>('*')) {
    const style = getComputedStyle(one);
    const scrolls = (value: string) => ['auto', 'scroll'].includes(value);
    const wide = scrolls(style.overflowX) ? one.scrollWidth - one.clientWidth : 0;
    const high = scrolls(style.overflowY) ? one.scrollHeight - one.clientHeight : 0;
    if (one.getAttribute('role') === 'grid') {
      // A scroll bar for more rows takes its width from the table, on some systems.
      if (wide > 2 + one.offsetWidth - one.clientWidth) found.push(`table: ${wide} px too wide`);
      continue;
    }
    const legend = one.closest('[data-testid="data-testid viz-layout-legend"]');
    // A long legend beside the plot may scroll: it is sorted, so what counts is seen.
    const beside = legend && getComputedStyle(legend.parentElement!).flexDirection === 'row';
    if (legend && (wide > 2 || (high > 2 && !beside))) {
      found.push(`legend: ${Math.max(wide, high)} px hidden`);
    }
  }
  return found;
}

type Colour = [number, number, number, number];

function colour(text: string): Colour {
  const [red, green, blue, alpha = 1] = (text.match(/[\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
  return [red, green, blue, alpha];
}

/** What is seen of *upper* over *lower*. */
function over(upper: Colour, lower: Colour): Colour {
  const mixed = [0, 1, 2].map((i) => upper[i] * upper[3] + lower[i] * (1 - upper[3]));
  return [mixed[0], mixed[1], mixed[2], 1];
}

function background(one: Element): Colour {
  const own = colour(getComputedStyle(one).backgroundColor);
  if (own[3] === 1) return own;
  return over(own, one.parentElement ? background(one.parentElement) : [255, 255, 255, 1]);
}

function luminance(of: Colour): number {
  const [red, green, blue] = of.slice(0, 3).map((channel) => channel / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** Texts that are too like what is behind them: WCAG 2.2, level AA. */
function pale(panel: HTMLElement): string[] {
  const found: string[] = [];
  for (const one of panel.querySelectorAll<HTMLElement>('*')) {
    const text = one.textContent?.trim();
    if (one.children.length || !text || one.clientWidth === 1 || one.closest('svg')) continue;
    const { color, fontSize, fontWeight } = getComputedStyle(one);
    const behind = background(one);
    const [a, b] = [luminance(over(colour(color), behind)), luminance(behind)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = parseFloat(fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) {
      found.push(`contrast: ${ratio.toFixed(1)} of ${text.slice(0, 60)}`);
    }
  }
  return found;
}

/** One line for each fault: the panel, the kind, what it is about. */
export function faults(): string[] {
  return [...document.querySelectorAll<HTMLElement>('[data-panel]')].flatMap((panel) => {
    const found = new Set([...cut(panel), ...high(panel), ...hidden(panel), ...pale(panel)]);
    return [...found].map((one) => `${panel.dataset.panel}: ${one}`);
  });
}
