"""How the panel looks: one stylesheet, put in by an HTML widget, every rule under the class ``tsnb-x``."""

from __future__ import annotations

STYLE = """
.tsnb-x{font:14px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;width:100%;container-type:inline-size;
 --ink:#1b1b1f;--soft:#55555f;--line:#d5d5dc;--paper:#fff;--on:#e7f0fa;--edge:#0b61a4;color:var(--ink)}
.tsnb-x .tsnb-row{display:flex;flex-flow:row wrap;gap:12px;align-items:stretch;width:100%;overflow:visible}
.tsnb-x .tsnb-map{flex:3 1 420px;min-width:min(100%,300px)}
.tsnb-x .tsnb-side{flex:2 1 330px;min-width:min(100%,280px);max-height:none;overflow:visible}
.tsnb-x .widget-html-content,.tsnb-x .jupyter-widget-html-content{font:inherit;line-height:1.45;color:inherit;
 white-space:normal;overflow-wrap:anywhere}
.tsnb-x p{margin:0 0 6px;line-height:1.45}
.tsnb-x ul{margin:0 0 6px;padding-left:1.2em}
.tsnb-x h4{margin:8px 0 4px;font-size:14px;font-weight:650}
.tsnb-x .small{font-size:12.5px;color:var(--soft)}
.tsnb-x .answer{font-size:20px;font-weight:650;line-height:1.25;margin:2px 0 4px}
.tsnb-x .good{color:#0d5c40}.tsnb-x .bad{color:#97231b}.tsnb-x .open{color:#46464f}
.tsnb-x .error{border-left:4px solid #b3261e;padding:6px 10px;background:#fdf1f0;color:#5f1510;border-radius:3px}
.tsnb-x .error .hint{color:var(--ink)}
.tsnb-x .swatch{display:inline-block;width:13px;height:13px;border:1.5px solid #222;margin-right:6px;
 vertical-align:-2px;outline:1.5px solid #fff}
.tsnb-x .tsnb-said{display:flex;flex-direction:column;gap:4px;max-height:300px;overflow:auto;padding:2px}
.tsnb-x button.tsnb-sentence{white-space:normal;height:auto;min-height:32px;text-align:left;line-height:1.4;
 padding:6px 9px;width:calc(100% - 4px);margin:0 2px;background:var(--paper);color:var(--ink);
 border:1px solid var(--line);border-left:4px solid var(--line);border-radius:4px;overflow:visible;flex:none}
.tsnb-x button.tsnb-sentence.on{background:var(--on);border-color:var(--edge);border-left-color:var(--edge)}
.tsnb-x .tsnb-between{padding:0 11px}
.tsnb-x button:focus-visible,.tsnb-x input:focus-visible,.tsnb-x select:focus-visible,.tsnb-x textarea:focus-visible{
 outline:3px solid #0b61a4;outline-offset:1px}
.tsnb-x table{border-collapse:collapse;font-size:12.5px;width:100%;margin:0 0 6px}
.tsnb-x td,.tsnb-x th{border-top:1px solid var(--line);padding:3px 6px;text-align:left;vertical-align:top}
.tsnb-x .jupyter-button,.tsnb-x .widget-button{min-height:30px;height:auto}
.tsnb-x .leaflet-image-layer{image-rendering:pixelated}
@media (max-width:700px){.tsnb-x .tsnb-map,.tsnb-x .tsnb-side{flex-basis:100%}}
@container (max-width:700px){.tsnb-x .tsnb-map,.tsnb-x .tsnb-side{flex-basis:100%}}
@media (prefers-reduced-motion:reduce){.tsnb-x *{transition:none!important}}
"""
