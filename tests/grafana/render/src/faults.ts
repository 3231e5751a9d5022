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

/** One line for each fault: the panel, the kind, what it is about. */
export function faults(): string[] {
  return [...document.querySelectorAll<HTMLElement>('[data-panel]')].flatMap((panel) =>
    [...new Set([...cut(panel), ...hidden(panel)])].map((one) => `${panel.dataset.panel}: ${one}`));
}
