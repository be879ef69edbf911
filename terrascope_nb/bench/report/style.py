"""How a report looks: light and dark, on a phone, on paper, inside a notebook."""

from __future__ import annotations

STYLE = """
.tsbench.tsbench{--ink:#1b1b1f;--soft:#55555f;--paper:#fff;--rule:#dcdce2;--fill:#f4f4f7;--good:#0d5c40;--bad:#97231b;
--c0:#0072b2;--c1:#c04f00;--c2:#00785a;--c3:#a0427c;--c4:#6b5a00;--c5:#3f4a9c;--right:#0072b2;--wrong:#c04f00;
all:revert;display:block;font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif;
color:var(--ink);background:var(--paper);color-scheme:light;max-width:1180px;margin:0 auto;padding:16px 20px;
text-align:left;overflow-wrap:break-word;box-sizing:border-box}
@media (prefers-color-scheme:dark){.tsbench.tsbench{--ink:#e8e8ec;--soft:#a9a9b6;--paper:#17171b;--rule:#3a3a44;
--fill:#222229;--good:#6fd0a8;--bad:#f0948c;--c0:#5ab4ec;--c1:#f2914f;--c2:#4fc9a4;--c3:#e08fbf;--c4:#d8c34a;
--c5:#98a3f0;--right:#5ab4ec;--wrong:#f2914f;color-scheme:dark}}
.tsbench.tsbench *{box-sizing:border-box}
.tsbench.tsbench :is(p,ul,li,div,section,header,figure,thead,tbody,b,h2,h3,h4){color:inherit;background:none}
.tsbench.tsbench h2{font-size:24px;font-weight:650;line-height:1.25;margin:2px 0 6px;border:0;padding:0}
.tsbench.tsbench h3{font-size:17px;font-weight:650;margin:30px 0 8px;border:0;padding:0}
.tsbench.tsbench h4{font-size:15px;font-weight:600;margin:14px 0 4px;border:0;padding:0}
.tsbench.tsbench p{margin:0 0 8px;max-width:78ch}
.tsbench.tsbench .small{color:var(--soft);font-size:13px;line-height:1.45;max-width:96ch}
.tsbench.tsbench .headline{font-size:18px;max-width:66ch;margin:0 0 6px}
.tsbench.tsbench .beware{border-left:3px solid var(--wrong);padding:1px 0 1px 10px;font-weight:500}
.tsbench.tsbench .scroll{overflow-x:auto;margin:0 0 8px}
.tsbench.tsbench table{border-collapse:collapse;font-size:13.5px;line-height:1.35;color:inherit;background:none;
border:0;margin:0}
.tsbench.tsbench tr,.tsbench.tsbench tbody tr:nth-child(n),.tsbench.tsbench tbody tr:hover{background:none}
.tsbench.tsbench th,.tsbench.tsbench td{padding:5px 10px 5px 0;border:0;border-bottom:1px solid var(--rule);
color:inherit;background:none;text-align:left;vertical-align:top;font-weight:400;font-size:inherit;white-space:normal;max-width:34em}
.tsbench.tsbench thead th{color:var(--soft);font-weight:600;vertical-align:bottom;border-bottom:2px solid var(--soft)}
.tsbench.tsbench tbody th{font-weight:550;min-width:11em}
.tsbench.tsbench .num{text-align:right;font-variant-numeric:tabular-nums;padding:5px 0 5px 14px}
.tsbench.tsbench td.num{white-space:nowrap}
.tsbench.tsbench .ci{display:block;color:var(--soft);font-size:11.5px;white-space:nowrap}
.tsbench.tsbench tr.apart>*{border-top:2px solid var(--soft)}
.tsbench.tsbench .charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(440px,100%),1fr));gap:8px 28px}
.tsbench.tsbench .charts.one{max-width:640px}
.tsbench.tsbench figure{margin:0;min-width:0}
.tsbench.tsbench figcaption{font-size:13px;color:var(--soft);line-height:1.4;margin:4px 0 10px}
.tsbench.tsbench svg.chart{display:block;width:100%;height:auto;max-width:620px}
.tsbench.tsbench svg text{font:12px system-ui,sans-serif;fill:var(--ink)}
.tsbench.tsbench svg .tick{font-size:10.5px;fill:var(--soft)}
.tsbench.tsbench svg .note{font-size:12px;fill:var(--ink)}
.tsbench.tsbench svg .name{font-size:12.5px;font-weight:550}
.tsbench.tsbench svg .grid{fill:none;stroke:var(--rule);stroke-width:1}
.tsbench.tsbench svg .axis{stroke:var(--soft);stroke-width:1.2}
.tsbench.tsbench svg .line{fill:none;stroke-width:2}
.tsbench.tsbench svg .dot{stroke-width:1.4}
.tsbench.tsbench svg .s0{stroke:var(--c0)}.tsbench.tsbench svg .dot.s0{fill:var(--c0)}
.tsbench.tsbench svg .s1{stroke:var(--c1)}.tsbench.tsbench svg .dot.s1{fill:var(--c1)}
.tsbench.tsbench svg .s2{stroke:var(--c2)}.tsbench.tsbench svg .dot.s2{fill:var(--c2)}
.tsbench.tsbench svg .s3{stroke:var(--c3)}.tsbench.tsbench svg .dot.s3{fill:var(--c3)}
.tsbench.tsbench svg .s4{stroke:var(--c4)}.tsbench.tsbench svg .dot.s4{fill:var(--c4)}
.tsbench.tsbench svg .s5{stroke:var(--c5)}.tsbench.tsbench svg .dot.s5{fill:var(--c5)}
.tsbench.tsbench svg .paper{stroke:var(--soft);stroke-width:1.6}
.tsbench.tsbench svg .chance{stroke:var(--soft);stroke-width:1.2}
.tsbench.tsbench svg .dot.open{fill:var(--paper)}
.tsbench.tsbench svg .bar.right{fill:var(--right)}.tsbench.tsbench svg .bar.wrong{fill:var(--wrong)}
.tsbench.tsbench svg .bar.plainbar{fill:var(--soft)}
.tsbench.tsbench svg .mean{stroke-width:1.6;stroke-dasharray:4 3;stroke:var(--ink)}
.tsbench.tsbench .legend{list-style:none;display:flex;flex-wrap:wrap;gap:2px 18px;padding:0;margin:0 0 8px;
font-size:13px}
.tsbench.tsbench .legend li{display:flex;align-items:center;gap:6px;margin:0}
.tsbench.tsbench .legend svg{flex:none}
.tsbench.tsbench .case{border-top:1px solid var(--rule);padding:12px 0 14px;break-inside:avoid}
.tsbench.tsbench .case p{margin:0 0 6px}
.tsbench.tsbench .case ul{list-style:none;display:flex;flex-wrap:wrap;gap:2px 18px;padding:0;margin:0 0 8px;
font-size:14px}
.tsbench.tsbench .case li{margin:0}
.tsbench.tsbench .good{color:var(--good);font-weight:600}
.tsbench.tsbench .bad{color:var(--bad);font-weight:600}
.tsbench.tsbench .views{display:grid;grid-template-columns:repeat(3,minmax(0,1fr));gap:10px;max-width:900px}
.tsbench.tsbench .views.two{grid-template-columns:repeat(2,minmax(0,1fr));max-width:600px}
.tsbench.tsbench .views img{display:block;width:100%;height:auto;border-radius:3px;background:var(--fill);
image-rendering:pixelated}
.tsbench.tsbench .swatch{display:inline-block;width:11px;height:11px;border:1px solid var(--ink);margin:0 4px 0 8px;
vertical-align:-1px;print-color-adjust:exact;-webkit-print-color-adjust:exact}
.tsbench.tsbench dl{display:grid;grid-template-columns:max-content 1fr;gap:3px 16px;font-size:13.5px;margin:0 0 10px}
.tsbench.tsbench dt{color:var(--soft)}
.tsbench.tsbench dd{margin:0;min-width:0}
.tsbench.tsbench code{font:12.5px/1.5 ui-monospace,Menlo,Consolas,monospace;background:var(--fill);padding:1px 5px;
border-radius:3px;color:inherit;overflow-wrap:anywhere}
@media (max-width:560px){.tsbench.tsbench{padding:10px 12px}.tsbench.tsbench dl{grid-template-columns:1fr;gap:0}
.tsbench.tsbench dd{margin:0 0 6px}}
@media print{.tsbench.tsbench{max-width:none;padding:0;font-size:10pt}.tsbench.tsbench h3{break-after:avoid}}
"""
"""Colours are Okabe and Ito's, darkened or lightened until they read on their ground."""
