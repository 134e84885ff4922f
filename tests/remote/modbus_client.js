// A Modbus/TCP client of another maker, modbus-serial: reads and writes each table of unit 1, and prints what it saw.
"use strict";
const ModbusRTU = require("modbus-serial");

const code = (promise) => promise.then(() => 0, (error) => error.modbusCode);

(async () => {
    const client = new ModbusRTU();
    await client.connectTCP("127.0.0.1", { port: Number(process.argv[2]) });
    client.setID(1);
    client.setTimeout(10000);
    const seen = {
        coils: (await client.readCoils(0, 3)).data.slice(0, 3),
        inputs: (await client.readDiscreteInputs(0, 2)).data.slice(0, 2),
        registers: (await client.readHoldingRegisters(0, 3)).data,
        measured: (await client.readInputRegisters(0, 2)).data,
        beyond: await code(client.readHoldingRegisters(3, 1)),
        unwritable: await code(client.writeRegister(3, 1)),
    };
    await client.writeCoil(0, false);
    await client.writeCoils(1, [true, false]);
    await client.writeRegister(0, 7);
    await client.writeRegisters(1, [8, 65000]);
    await client.maskWriteRegister(1, 0xfff0, 0x0005);
    const identified = await client.readDeviceIdentification(1, 0);
    console.log(JSON.stringify({ ...seen, identified: identified.data }));
    client.close(() => process.exit(0));
})().catch((error) => {
    console.error(error);
    process.exit(1);
});
