"""How the panel looks: one stylesheet, put in by an HTML widget, every rule under the class ``tsnb-x``."""

from __future__ import annotations

# The map keeps its own height and stays in sight while a long panel scrolls; «sticky» needs that no box around it
# clips, which the last rules see to, in JupyterLab and Notebook. They also keep the cell drawn while it is scrolled
# out of sight, where JupyterLab would draw nothing, so that the map knows its size when a later cell asks something.
STYLE = """
.tsnb-x{font:14px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;width:100%;
 --ink:#1b1b1f;--soft:#55555f;--line:#d5d5dc;--paper:#fff;--on:#e7f0fa;--edge:#0b61a4;color:var(--ink);
 background:var(--paper);overflow:visible!important}
.tsnb-x>.tsnb-row{container-type:inline-size}
.tsnb-x .tsnb-row{display:flex;flex-flow:row wrap;gap:12px;align-items:flex-start;width:100%;overflow:visible}
.tsnb-x .tsnb-map{flex:3 1 420px;min-width:min(100%,300px);position:sticky;top:0;z-index:1;background:var(--paper);
 overflow:visible}
.tsnb-x .tsnb-map .leaflet-container{flex:none}
.tsnb-x .leaflet-widgets{margin-left:0;margin-right:0}
.tsnb-x .tsnb-side{flex:2 1 330px;min-width:min(100%,280px);max-height:none;overflow:visible}
.tsnb-x .tsnb-pair>.tsnb-row>*{flex:1 1 300px;min-width:min(100%,300px)}
.tsnb-x .widget-html-content,.tsnb-x .jupyter-widget-html-content{font:inherit;line-height:1.45;color:inherit;
 white-space:normal;overflow-wrap:anywhere}
.tsnb-x .widget-box,.tsnb-x .jupyter-widgets.widget-vbox{overflow:visible}
.tsnb-x .widget-html,.tsnb-x .jupyter-widgets.widget-html{height:auto;min-height:0}
.tsnb-x p{margin:0 0 6px;line-height:1.45}
.tsnb-x ul{margin:0 0 6px;padding-left:1.2em}
.tsnb-x h4{margin:8px 0 4px;font-size:14px;font-weight:650}
.tsnb-x .small{font-size:12.5px;color:var(--soft)}
.tsnb-x .answer{font-size:20px;font-weight:650;line-height:1.25;margin:2px 0 4px}
.tsnb-x .good{color:#0d5c40}.tsnb-x .bad{color:#97231b}.tsnb-x .open{color:#46464f}
.tsnb-x .error{border-left:4px solid #b3261e;padding:6px 10px;background:#fdf1f0;color:#5f1510;border-radius:3px}
.tsnb-x .error .hint{color:var(--ink)}
.tsnb-x .legend{display:flex;flex-flow:row wrap;gap:2px 14px}
.tsnb-x .legend p{margin:0}
.tsnb-x .swatch{display:inline-block;width:13px;height:13px;border:1.5px solid #222;margin-right:6px;
 vertical-align:-2px;outline:1.5px solid #fff}
.tsnb-x .tsnb-said{display:flex;flex-direction:column;gap:4px;max-height:300px;overflow:auto!important;padding:2px}
.tsnb-x button.tsnb-sentence{white-space:normal;height:auto;min-height:32px;text-align:left;line-height:1.4;
 padding:6px 9px;width:calc(100% - 4px);margin:0 2px;background:var(--paper);color:var(--ink);
 border:1px solid var(--line);border-left:4px solid var(--line);border-radius:4px;overflow:visible;flex:none;
 overflow-wrap:anywhere;text-overflow:clip}
.tsnb-x button.tsnb-sentence.on{background:var(--on);border-color:var(--edge);border-left-color:var(--edge);
 font-weight:600}
.tsnb-x button.tsnb-sentence.held{border-right:6px double #7a4a00}
.tsnb-x .tsnb-between{padding:0 11px;flex:none}
.tsnb-x button:focus-visible,.tsnb-x input:focus-visible,.tsnb-x select:focus-visible,.tsnb-x textarea:focus-visible,
.tsnb-x .noUi-handle:focus-visible,.tsnb-x .leaflet-container:focus-visible{
 outline:3px solid #0b61a4;outline-offset:1px}
.tsnb-x table{border-collapse:collapse;font-size:12.5px;width:100%;margin:0 0 6px}
.tsnb-x td,.tsnb-x th{border-top:1px solid var(--line);padding:3px 6px;text-align:left;vertical-align:top;
 white-space:normal;overflow-wrap:anywhere}
.tsnb-x th{overflow-wrap:normal}
.tsnb-x td.verdict{white-space:nowrap;font-weight:600;overflow-wrap:normal}
.tsnb-x tr.agrees .verdict{color:#0d5c40}.tsnb-x tr.disagrees .verdict{color:#97231b}
.tsnb-x details{margin:0 0 6px}
.tsnb-x summary{cursor:pointer}
.tsnb-x .jupyter-button,.tsnb-x .widget-button{min-height:30px;height:auto;line-height:1.3;white-space:normal}
.tsnb-x .tsnb-steps{flex-flow:row wrap;gap:2px}
.tsnb-x .tsnb-steps>.jupyter-button{width:auto;padding:0 12px}
.tsnb-x .tsnb-blank>.jupyter-button{width:auto;padding:4px 12px}
.tsnb-x .widget-inline-hbox .widget-label{width:84px}
.tsnb-x .widget-inline-hbox{min-width:0;max-width:100%}
.tsnb-x .widget-toggle-buttons{width:98%;display:flex;flex-flow:row wrap;align-items:center}
.tsnb-x .widget-toggle-buttons>.widget-label{width:84px;margin-right:8px;text-align:right}
.tsnb-x .leaflet-image-layer{image-rendering:pixelated}
.tsnb-x .leaflet-sbs-divider{box-shadow:0 0 0 1px #222}
@media (max-width:700px){.tsnb-x .tsnb-map,.tsnb-x .tsnb-side{flex-basis:100%}.tsnb-x .tsnb-map{position:static}}
@container (max-width:700px){.tsnb-x .tsnb-map,.tsnb-x .tsnb-side{flex-basis:100%}.tsnb-x .tsnb-map{position:static}}
@media (prefers-reduced-motion:reduce){.tsnb-x *{transition:none!important}}
.jp-OutputArea-output:has(.tsnb-x),.jp-OutputArea-child:has(.tsnb-x),.jp-OutputArea:has(.tsnb-x),
.jp-Cell-outputWrapper:has(.tsnb-x),.jp-Cell:has(.tsnb-x){overflow:visible!important;contain:none!important;
 content-visibility:visible!important}
"""
