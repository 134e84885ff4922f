// A Modbus/TCP server of another maker, modbus-serial: unit 1, ten elements of each table from address 0 on.
// Prints its port; ends with its standard input.
"use strict";
const { ServerTCP } = require("modbus-serial");

const held = Array.from({ length: 10 }, (_, at) => 100 + at);
const coils = Array.from({ length: 10 }, (_, at) => at % 2 === 1);
const at = (table, address) => {
    if (address >= table.length) throw Object.assign(new Error("no such address"), { modbusErrorCode: 2 });
    return table[address];
};
const put = (table, address, value) => {
    at(table, address);
    table[address] = value;
};
const server = new ServerTCP({
    getHoldingRegister: (address) => at(held, address),
    getInputRegister: (address) => at(held, address) + 100,
    getCoil: (address) => at(coils, address),
    getDiscreteInput: (address) => !at(coils, address),
    setRegister: (address, value) => put(held, address, value),
    setCoil: (address, value) => put(coils, address, value),
}, { host: "127.0.0.1", port: Number(process.argv[2]), unitID: 1 });
server.on("initialized", () => console.log(server._server.address().port));
server.on("socketError", () => {});
process.stdin.on("end", () => process.exit(0)).resume();
