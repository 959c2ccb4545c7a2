const all=[...document.querySelectorAll(".plot")];for(const plot of all){
const {data,layout}=JSON.parse(plot.nextElementSibling.textContent);
Plotly.newPlot(plot,data,layout,{responsive:true,displaylogo:false,
modeBarButtonsToRemove:["select2d","lasso2d","sendChartToCloud"]})}
addEventListener("beforeprint",()=>all.forEach(plot=>Plotly.relayout(plot,{width:640,autosize:false})));
addEventListener("afterprint",()=>all.forEach(plot=>Plotly.relayout(plot,{width:null,autosize:true})));
