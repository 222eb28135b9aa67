// The fleet as a real table. Everything is text from Python: it is set as text, never as HTML.
const SVG = 'http://www.w3.org/2000/svg';
const SPANNED = ['metric', 'reference', 'trend']; // a model without numbers says its next step there
const WIDTH = 116, HEIGHT = 30, PAD = 4;

const make = (name, props = {}, ...children) => {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === '') continue;
    if (key === 'text') node.textContent = value; else node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
};
const draw = (name, props) => {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(props)) node.setAttribute(key, value);
  return node;
};

function sparkline({ points, baseline, low, high, alt, colour }) {
  const svg = draw('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH, height: HEIGHT, role: 'img', 'aria-label': alt });
  const known = points.filter((v) => v !== null);
  const all = known.concat([baseline, low, high].filter((v) => v !== null)); // noise within the interval looks small
  const least = Math.min(...all), span = Math.max(...all) - least;
  const x = (i) => PAD + (points.length > 1 ? i / (points.length - 1) : 0.5) * (WIDTH - 2 * PAD);
  const y = (v) => HEIGHT - PAD - (span > 0 ? (v - least) / span : 0.5) * (HEIGHT - 2 * PAD);
  if (baseline !== null) {
    svg.append(draw('line', { x1: PAD, x2: WIDTH - PAD, y1: y(baseline), y2: y(baseline), class: 'base' }));
  }
  let path = '', last = null;
  points.forEach((v, i) => {
    if (v === null) return;
    path += `${i > 0 && points[i - 1] !== null ? 'L' : 'M'}${x(i).toFixed(1)} ${y(v).toFixed(1)}`;
    const alone = (i === 0 || points[i - 1] === null) && (i === points.length - 1 || points[i + 1] === null);
    if (alone) svg.append(draw('circle', { cx: x(i), cy: y(v), r: 1.2, class: `dot ${colour}` }));
    last = i;
  });
  svg.append(draw('path', { d: path, class: `line ${colour}` }));
  if (low !== null && high !== null) {
    svg.append(draw('line', { x1: x(last), x2: x(last), y1: y(low), y2: y(high), class: `whisker ${colour}` }));
  }
  svg.append(draw('circle', { cx: x(last), cy: y(points[last]), r: 2.6, class: `dot ${colour}` }));
  return svg;
}

function badge({ icon, label, colour }) {
  return make('span', { class: `badge ${colour}` },
    make('span', { class: 'icon', 'aria-hidden': 'true', text: icon }), make('span', { text: label }));
}

function cell(column, value) {
  if (value === null || value === undefined) return [make('span', { class: 'none', text: '—' })];
  if (column.kind === 'badge') return [badge(value), ...(value.sub ? [make('span', { class: 'sub', text: value.sub })] : [])];
  if (column.kind === 'trend') return [sparkline(value)];
  const main = make('span', { class: value.faded ? 'main faded' : 'main', title: value.title, text: value.text });
  if (value.beside) main.append(make('span', { class: 'beside', text: ` ${value.beside}` }));
  return [main, ...[value.sub, value.note].filter(Boolean).map((text) => make('span', { class: 'sub', text }))];
}

function plain(event) { // a new tab is the browser's work
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return false;
  event.preventDefault();
  event.stopPropagation();
  return true;
}

function nextStep(wrap, row, columns) {
  const link = make('a', { href: row.stepHref, class: 'go', text: row.step });
  link.addEventListener('click', (event) => { if (plain(event)) wrap.step(row.id); });
  return make('td', { role: 'cell', colspan: columns, class: 'step' }, 'Next: ', link);
}

export default function ({ data, parentElement, setTriggerValue }) {
  const wrap = parentElement.querySelector('.wrap');
  wrap.open = (id) => setTriggerValue('open', id);
  wrap.step = (id) => setTriggerValue('step', id);
  const seen = JSON.stringify(data);
  if (wrap.seen === seen) return; // the same facts: keep the nodes, and with them focus and scroll
  wrap.seen = seen;

  const head = make('tr', { role: 'row' }, ...data.columns.map((one) =>
    make('th', { scope: 'col', role: 'columnheader', class: `k-${one.kind}`, text: one.label })));
  const rows = data.rows.map((row) => {
    const link = make('a', { href: row.href, class: 'name', text: row.name });
    const name = make('th', { scope: 'row', role: 'rowheader', class: 'model' }, link);
    if (row.title) name.append(make('span', { class: 'sub', text: row.title }));
    const rest = data.columns.slice(1), span = rest.filter((one) => row.step && SPANNED.includes(one.key));
    const line = make('tr', { role: 'row', 'data-id': row.id }, name);
    for (const column of rest) {
      if (span.includes(column)) {
        if (column === span[0]) line.append(nextStep(wrap, row, span.length));
        continue;
      }
      const value = row.cells[column.key], empty = value === null || value === undefined;
      line.append(make('td', { role: 'cell', class: `k-${column.kind} c-${column.key}${empty ? ' empty' : ''}` },
        make('span', { class: 'lab', 'aria-hidden': 'true', text: column.label }),
        make('span', { class: 'val' }, ...cell(column, value))));
    }
    line.addEventListener('click', (event) => {
      if (getSelection() && String(getSelection())) return; // somebody marks text
      if (plain(event)) wrap.open(row.id);
    });
    return line;
  });
  const table = make('table', { role: 'table' }, make('caption', { text: data.caption }),
    make('thead', { role: 'rowgroup' }, head), make('tbody', { role: 'rowgroup' }, ...rows));
  wrap.replaceChildren(table);
}
