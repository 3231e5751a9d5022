// Stands for the code editor that @grafana/ui can open: 11 MB that no dashboard shows.
module.exports = {};
