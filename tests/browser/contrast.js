// Text whose contrast with its ground is under 4.5:1 (3:1 when large), over the page, shadow roots and SVG.
(skip) => {
  const parse = (c) => {
    const m = c.match(/rgba?\(([^)]+)\)/); if (!m) return null;
    const p = m[1].split(/[ ,/]+/).map(Number); return [p[0], p[1], p[2], p.length > 3 ? p[3] : 1];
  };
  const over = (a, b) => [0, 1, 2].map(i => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
  const light = (c) => {
    const [r, g, b] = c.slice(0, 3).map(v => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; });
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const parentOf = (e) => e.parentElement || (e.getRootNode() instanceof ShadowRoot ? e.getRootNode().host : null);
  const ground = (e) => {
    const layers = [];
    for (let at = e; at; at = parentOf(at)) {
      const c = parse(getComputedStyle(at).backgroundColor);
      if (c && c[3] > 0) { layers.push(c); if (c[3] >= 1) break; }
    }
    return layers.reverse().reduce((under, layer) => over(layer, under), [255, 255, 255, 1]);
  };
  const seen = (e) => {
    for (let at = e; at; at = parentOf(at)) {
      const s = getComputedStyle(at);
      if (s.display === 'none' || s.visibility === 'hidden' || Number(s.opacity) === 0) return false;
      if (at.disabled || at.getAttribute('aria-disabled') === 'true' || at.getAttribute('aria-hidden') === 'true') return false;
      if (skip.some(k => at.matches(k))) return false;
    }
    const box = e.getBoundingClientRect(); return box.width > 1 && box.height > 1;
  };
  const weak = [];
  const walk = (root) => {
    const nodes = document.createTreeWalker(root, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
    for (let n = nodes.nextNode(); n; n = nodes.nextNode()) {
      if (n.nodeType === 1) { if (n.shadowRoot) walk(n.shadowRoot); continue; }
      const text = n.textContent.trim(), e = n.parentElement;
      if (!text || !e || ['STYLE', 'SCRIPT', 'NOSCRIPT', 'CANVAS'].includes(e.tagName) || e.closest('canvas') || !seen(e)) continue;
      const s = getComputedStyle(e), svg = e.closest('svg');
      const own = parse(svg ? s.fill : s.color); if (!own) continue;
      const back = ground(svg ? svg.parentElement : e), front = over(own, back);
      const [a, b] = [light(front), light(back)].sort((x, y) => y - x), ratio = (a + .05) / (b + .05);
      const big = parseFloat(s.fontSize) >= 24 || (parseFloat(s.fontSize) >= 18.66 && Number(s.fontWeight) >= 700);
      if (ratio < (big ? 3 : 4.5)) weak.push({ratio, colour: s.color, ground: back.map(Math.round).join(','), text: text.slice(0, 60)});
    }
  };
  walk(document.body);
  return weak;
}
