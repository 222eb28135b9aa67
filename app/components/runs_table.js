// Runs, or groups of repeats, as a real table. Everything is text from Python: it is set as text, never as HTML.
const make = (name, props = {}, ...children) => {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === '' || value === false) continue;
    if (key === 'text') node.textContent = value; else node.setAttribute(key, value === true ? '' : value);
  }
  node.append(...children);
  return node;
};
const icon = (name) => make('span', { class: 'icon', 'aria-hidden': 'true', text: name });

function heading(column) {
  const arrow = column.sorted ? icon(column.sorted === 'descending' ? 'arrow_downward' : 'arrow_upward') : '';
  const button = make('button', { 'data-sort': column.id, 'data-focus': `sort ${column.id}`, title: column.hint },
    make('span', { class: 'lbl', text: column.label }), arrow);
  const cell = make('th', {
    scope: 'col', class: `${column.number ? 'n' : ''} ${column.pinned ? 'kept' : ''}`, 'aria-sort': column.sorted || 'none',
    'data-column': column.movable ? column.id : null, draggable: column.movable ? 'true' : null,
  }, button);
  if (column.movable) {
    const word = column.pinned ? `Unpin the column ${column.label}` : `Pin the column ${column.label} at the left`;
    cell.append(make('button', {
      class: 'keep', 'data-keep': column.id, 'data-focus': `keep ${column.id}`, 'aria-pressed': String(Boolean(column.pinned)),
      title: word, 'aria-label': word,
    }, icon('keep')));
  }
  if (column.sub) cell.append(make('span', { class: 'sub', text: column.sub }));
  return cell;
}

// Pinned columns stay at the left of the first one that scrolls; on a narrow table there is no room for it.
function hold(wrap) {
  const heads = [...wrap.querySelectorAll('thead th')];
  const narrow = wrap.clientWidth < 560;
  let left = heads[0].offsetWidth;
  heads.forEach((head, at) => {
    if (at === 0 || !head.classList.contains('kept')) return;
    for (const line of wrap.querySelectorAll('tr')) {
      const one = line.children[at];
      one.classList.toggle('held', !narrow);
      one.style.left = narrow ? '' : `${left}px`;
    }
    left += head.offsetWidth;
  });
}

// A table that is cut says so: a shadow at the edge behind which more columns are.
function cutAt(wrap) {
  const left = wrap.scrollLeft > 2, right = wrap.scrollWidth - wrap.clientWidth - wrap.scrollLeft > 2;
  wrap.parentNode.querySelector('.edge').classList.toggle('more', right);
  wrap.classList.toggle('moved', left);
}

function cell(value, column) {
  const node = make('td', { class: column.number ? 'n' : 't', title: value.hint });
  if (value.icon) {
    node.append(make('span', { class: `badge ${value.colour}` }, icon(value.icon), value.text));
    return node;
  }
  node.append(make('span', { class: value.odd ? 'odd' : '', text: value.text }));
  if (value.spread) node.append(make('span', { class: 'spread', text: value.spread }));
  if (value.delta) node.append(make('span', { class: `delta ${value.verdict || ''}`, text: value.delta }));
  return node;
}

function row(sent, columns) {
  const ids = sent.ids || [sent.id];
  const run = { ticked: '', ...sent, first: ids[0], hint: sent.hint || `${sent.name}, ${sent.id}` };
  const box = make('input', {
    type: 'checkbox', 'data-tick': run.id, 'data-focus': `tick ${run.id}`, 'aria-label': `Compare ${run.runs === undefined ? run.name : run.hint}`,
  });
  box.checked = run.ticked === 'all';
  box.indeterminate = run.ticked === 'some';
  const pin = make('button', {
    class: 'pin', 'data-pin': run.pinned ? '' : run.first, 'data-focus': `pin ${run.id}`, 'aria-pressed': String(Boolean(run.pinned)),
    title: run.pinned ? 'Baseline; click to unpin' : 'Make this the baseline',
    'aria-label': run.pinned ? `${run.hint} is the baseline; unpin` : `Make ${run.hint} the baseline`,
  }, icon('keep'));
  if (run.pinned) pin.setAttribute('data-pin', '-');
  // A long name gives way in its middle: the end tells runs of one sweep apart.
  const parts = run.cut ? [make('span', { class: 'head', text: run.name.slice(0, run.cut) }), make('span', { class: 'tail', text: run.name.slice(run.cut) })] : [run.name];
  const name = run.runs === undefined
    ? make('button', { class: 'name', 'data-show': run.first, 'data-focus': `show ${run.id}`, title: run.hint, 'aria-label': run.name }, ...parts)
    : make('span', { class: 'name', title: run.hint }, ...parts);
  const first = make('th', { scope: 'row' }, make('span', { class: 'first' }, make('label', {}, box), pin, name));
  if (run.flag) first.firstChild.append(make('span', { class: `icon flag ${run.flag_colour}`, role: 'img', 'aria-label': run.flag_text, title: run.flag_text, text: run.flag }));
  if (run.count) first.firstChild.append(make('span', { class: 'count', text: run.count }));
  if (run.version) first.firstChild.append(make('span', { class: 'badge violet', title: run.hint, text: run.version }));
  if (run.slot) name.before(make('i', { class: 'slot', style: `background:${run.slot}` }));
  return make('tr', { class: `${run.ticked} ${run.pinned ? 'pinned' : ''} ${run.runs === undefined ? '' : 'group'}` }, first,
    ...run.cells.map((value, at) => cell(value, columns[at])));
}

export default function ({ data, parentElement, setTriggerValue }) {
  const wrap = parentElement.querySelector('.wrap');
  const root = wrap.getRootNode();
  const held = root.activeElement && root.activeElement.dataset ? root.activeElement.dataset.focus : null;
  const place = [wrap.scrollTop, wrap.scrollLeft];
  const title = make('th', { scope: 'col' }, make('span', { class: 'first' },
    make('button', { 'data-sort': 'attributes.run_name', 'data-focus': 'sort attributes.run_name', title: data.name_hint },
      make('span', { class: 'lbl', text: data.name }),
      data.name_sorted ? icon(data.name_sorted === 'descending' ? 'arrow_downward' : 'arrow_upward') : '')));
  const table = make('table', {},
    make('caption', { text: data.caption }),
    make('thead', {}, make('tr', {}, title, ...data.columns.map(heading))),
    make('tbody', {}, ...data.rows.map((run) => row(run, data.columns))));
  wrap.replaceChildren(table);
  hold(wrap);
  cutAt(wrap);
  wrap.onscroll = () => cutAt(wrap);
  if (wrap.watcher) wrap.watcher.disconnect();
  wrap.watcher = new ResizeObserver(() => { hold(wrap); cutAt(wrap); });
  wrap.watcher.observe(wrap);
  wrap.watcher.observe(table);
  [wrap.scrollTop, wrap.scrollLeft] = place;
  if (held) {
    const again = [...wrap.querySelectorAll('[data-focus]')].find((node) => node.dataset.focus === held);
    if (again) again.focus({ preventScroll: true });
  }
  const ids = Object.fromEntries(data.rows.map((run) => [run.id, run.ids || [run.id]]));
  wrap.onchange = (event) => {
    const id = event.target.dataset.tick;
    if (id !== undefined) setTriggerValue('tick', { ids: ids[id], on: event.target.checked });
  };
  wrap.onclick = (event) => {
    const button = event.target.closest('button');
    if (!button) return;
    if (button.dataset.sort) setTriggerValue('sort', button.dataset.sort);
    else if (button.dataset.keep) setTriggerValue('keep', button.dataset.keep);
    else if (button.dataset.pin) setTriggerValue('pin', button.dataset.pin);
    else if (button.dataset.show) setTriggerValue('show', button.dataset.show);
  };
  const order = data.columns.filter((column) => column.movable).map((column) => column.id);
  const move = (id, to) => {
    const rest = order.filter((one) => one !== id);
    rest.splice(Math.max(0, Math.min(rest.length, to)), 0, id);
    if (rest.join() !== order.join()) setTriggerValue('order', rest);
  };
  wrap.onkeydown = (event) => {
    const head = event.target.closest('th[data-column]');
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!head || !by || !event.altKey) return;
    event.preventDefault();
    move(head.dataset.column, order.indexOf(head.dataset.column) + by);
  };
  let dragged = null;
  wrap.ondragstart = (event) => {
    const head = event.target.closest('th[data-column]');
    dragged = head ? head.dataset.column : null;
    if (dragged) event.dataTransfer.setData('text/plain', dragged);
  };
  wrap.ondragover = (event) => {
    const head = event.target.closest('th[data-column]');
    wrap.querySelectorAll('th.over').forEach((one) => one.classList.remove('over'));
    if (dragged && head && head.dataset.column !== dragged) { event.preventDefault(); head.classList.add('over'); }
  };
  wrap.ondrop = (event) => {
    const head = event.target.closest('th[data-column]');
    if (!dragged || !head) return;
    event.preventDefault();
    move(dragged, order.indexOf(head.dataset.column));
  };
  wrap.ondragend = () => {
    dragged = null;
    wrap.querySelectorAll('th.over').forEach((one) => one.classList.remove('over'));
  };
}
