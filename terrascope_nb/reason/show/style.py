"""How a trace's page looks: on a screen, on a phone, on paper, and inside a notebook of any theme."""

from __future__ import annotations

# Every rule names the article's class twice: a notebook's own rules for tables and text are stronger than one class.
STYLE = """
.tsnb.tsnb{all:revert;display:block;
 font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif;
 color:#1b1b1f;background:#fff;color-scheme:light;max-width:960px;margin:0 auto;padding:14px 18px;text-align:left;
 overflow-wrap:break-word;box-sizing:border-box}
.tsnb.tsnb *{box-sizing:border-box}
.tsnb.tsnb :is(b,p,ul,li,div,section,header,figure,thead,tbody){color:inherit;background:none}
.tsnb.tsnb .flat{display:none}
.tsnb.tsnb .defs{position:absolute;width:0;height:0}
.tsnb.tsnb p{margin:0 0 8px;max-width:68ch;font-size:inherit;line-height:1.5;color:inherit}
.tsnb.tsnb h2{font-size:18px;font-weight:600;line-height:1.35;margin:0 0 4px;max-width:52ch;color:inherit;border:0;
 padding:0}
.tsnb.tsnb h3{font-size:15px;font-weight:600;line-height:1.4;margin:26px 0 6px;color:inherit;border:0;padding:0}
.tsnb.tsnb .answer{font-size:27px;font-weight:650;line-height:1.25;margin:2px 0 8px;max-width:40ch;
 letter-spacing:-.01em}
.tsnb.tsnb .answer.long{font-size:20px;max-width:56ch}
.tsnb.tsnb h2.long{font-size:15.5px;max-width:64ch}
.tsnb.tsnb .verdict{display:inline-block;border:1px solid;border-radius:5px;padding:2px 9px;margin:0 0 8px;
 font-weight:550}
.tsnb.tsnb .verdict.good{color:#0d5c40;border-color:#7fbfa5;background:#eef8f3}
.tsnb.tsnb .verdict.bad{color:#97231b;border-color:#dc9a94;background:#fdf1f0}
.tsnb.tsnb .verdict.open{color:#46464f;border-color:#c2c2ca;background:#f5f5f7}
.tsnb.tsnb .small{color:#55555f;font-size:13px;line-height:1.45;max-width:84ch}
.tsnb.tsnb .options{list-style:none;margin:0 0 8px;padding:0;display:flex;flex-wrap:wrap;gap:2px 18px}
.tsnb.tsnb .options li{margin:0}
.tsnb.tsnb .options .taken{font-weight:650}
.tsnb.tsnb .prose{white-space:pre-line}
.tsnb.tsnb .between{border-top:1px solid #dcdce2;padding:14px 0 6px;margin:0}
.tsnb.tsnb .step{display:flex;flex-wrap:wrap;gap:10px 20px;border-top:1px solid #dcdce2;padding:16px 0 14px;
 break-inside:avoid}
.tsnb.tsnb .step figure{margin:0;flex:1 1 320px;max-width:400px;min-width:0}
.tsnb.tsnb .step.wide figure{flex-basis:100%;max-width:100%}
.tsnb.tsnb .step.tall figure{flex:0 1 200px}
.tsnb.tsnb .step>div{flex:1 1 300px;min-width:0}
.tsnb.tsnb .step svg{display:block;width:100%;height:auto;background:#ececf0;border-radius:3px}
.tsnb.tsnb .step.wide svg{min-height:14px}
.tsnb.tsnb figcaption{font-size:13px;line-height:1.4;color:#55555f;margin:5px 0 0;text-align:left;font-style:normal}
.tsnb.tsnb .swatch{display:inline-block;width:12px;height:12px;border:1.5px solid #222;outline:1.5px solid #fff;
 margin:0 6px 0 1px;
 vertical-align:-1px;print-color-adjust:exact;-webkit-print-color-adjust:exact}
.tsnb.tsnb .seg{display:inline-block;min-width:17px;padding:0 4px;border:1.5px solid #222;border-radius:9px;
 font-size:11px;
 line-height:14px;font-weight:650;text-align:center;vertical-align:1px;color:#1b1b1f;background:#fff}
.tsnb.tsnb .said{font-size:16px;margin-bottom:10px}
.tsnb.tsnb .c{text-decoration-line:underline;text-decoration-thickness:1.5px;text-underline-offset:3px}
.tsnb.tsnb .c.agrees{text-decoration-color:#1a7f5a}
.tsnb.tsnb .c.disagrees{text-decoration-style:wavy;text-decoration-color:#b3261e}
.tsnb.tsnb .c.not-checkable{text-decoration-style:dotted;text-decoration-color:#70707a}
.tsnb.tsnb .sign{font-size:12px;font-weight:700;line-height:0;vertical-align:baseline;text-decoration:none}
.tsnb.tsnb .agrees>.sign,.tsnb.tsnb .v.agrees{color:#0d6b49}
.tsnb.tsnb .disagrees>.sign,.tsnb.tsnb .v.disagrees,.tsnb.tsnb .but{color:#a3241c;font-weight:650}
.tsnb.tsnb .not-checkable>.sign,.tsnb.tsnb .v.not-checkable{color:#55555f}
.tsnb.tsnb .problem,.tsnb.tsnb .but{border-left:3px solid #b3261e;padding:1px 0 1px 9px;font-weight:500}
.tsnb.tsnb table{border-collapse:collapse;width:100%;margin:0 0 8px;font-size:13.5px;line-height:1.4;color:inherit;
 background:none;
 border:0;table-layout:auto}
.tsnb.tsnb tr,.tsnb.tsnb tbody tr:nth-child(n),.tsnb.tsnb tbody tr:hover{background:none}
.tsnb.tsnb th,.tsnb.tsnb td{text-align:left;vertical-align:top;padding:4px 12px 4px 0;border:0;
 border-bottom:1px solid #e4e4ea;
 color:inherit;background:none;white-space:normal;max-width:none;font-size:inherit}
.tsnb.tsnb th{font-weight:600;color:#55555f}
.tsnb.tsnb td.num{white-space:nowrap;font-variant-numeric:tabular-nums}
.tsnb.tsnb ul.small{margin:0 0 8px;padding:0 0 0 17px}
.tsnb.tsnb ul.small li{margin:0 0 5px;max-width:84ch}
.tsnb.tsnb summary{cursor:pointer;font-size:13px;color:#55555f}
.tsnb.tsnb pre{white-space:pre-wrap;overflow-wrap:anywhere;font:12px/1.45 ui-monospace,Menlo,Consolas,monospace;
 margin:6px 0 0;padding:0;
 color:inherit;background:none;border:0}
.tsnb.tsnb+.tsnb.tsnb{margin-top:34px;border-top:3px solid #1b1b1f}
@media (max-width:560px){
.tsnb.tsnb{padding:10px 12px}
.tsnb.tsnb .step figure{max-width:100%}
.tsnb.tsnb thead{display:none}
.tsnb.tsnb table,.tsnb.tsnb tbody,.tsnb.tsnb tr,.tsnb.tsnb td{display:block;width:auto}
.tsnb.tsnb tr{border-bottom:1px solid #e4e4ea;padding:5px 0}
.tsnb.tsnb tr{display:flex;flex-wrap:wrap;gap:0 14px}
.tsnb.tsnb td{border:0;padding:1px 0;order:2}
.tsnb.tsnb td:first-child{flex:1 0 55%;order:0}
.tsnb.tsnb td.v{order:1}
.tsnb.tsnb td:empty{display:none}
.tsnb.tsnb td[data-is]::before{content:attr(data-is) " ";color:#55555f}
}
@media print{
.tsnb.tsnb{max-width:none;padding:0;font-size:10pt}
.tsnb.tsnb .step figure{flex:0 0 7.4cm}
.tsnb.tsnb .step.wide figure{flex-basis:100%}
.tsnb.tsnb .said{font-size:11pt}
.tsnb.tsnb h2,.tsnb.tsnb h3{break-after:avoid}
.tsnb.tsnb tr{break-inside:avoid}
.tsnb.tsnb p,.tsnb.tsnb li{orphans:3;widows:3}
.tsnb.tsnb details{display:none}
.tsnb.tsnb+.tsnb.tsnb{break-before:page;margin-top:0;border-top:0}
.tsnb.tsnb .verdict{print-color-adjust:exact;-webkit-print-color-adjust:exact}
}
"""
