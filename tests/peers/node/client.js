// st-ethernet-ip, told what to do by lines of JSON on stdin: {"call": NAME, "with": [...]}; each is answered by one
// line on stdout, {"value": ...} or {"error": TEXT}. Integers beyond 2^53 are {"int": TEXT} in both directions.
// Usage: node client.js PORT SLOT|- [unconnected], with "-" for a controller without a backplane.
"use strict";

console.log = console.error; // the library writes there; stdout is for answers
const [port, slot, mode] = process.argv.slice(2);
require("st-ethernet-ip/dist/config.js").EIP_PORT = Number(port);
const { Controller, Structure, Tag, TagGroup, EthernetIP } = require("st-ethernet-ip");
const { BIT_STRING } = EthernetIP.CIP.DataTypes.Types;

const EVENTS = ["Read Tag", "Read Tag Fragmented", "Write Tag", "Write Tag Fragmented", "Multiple Service Packet"];
const plc = new Controller(mode !== "unconnected");

// [program or null, the rest] of a name like Program:Main.Speed
function scoped(name) {
    const found = /^Program:([^.]+)\.(.*)$/.exec(name);
    return found ? found.slice(1) : [null, name];
}

// Whether a name leads to an array of BOOL, or to one of its bits: the library wants to be told.
function isBits(name, program) {
    const base = name.replace(/\[[^\]]*\]$/, "");
    const dot = base.lastIndexOf(".");
    if (dot < 0) {
        const tag = plc.tagList.find((one) => one.name === base && one.program === program);
        return tag !== undefined && !tag.type.structure && tag.type.code === BIT_STRING;
    }
    const template = plc.state.tagList.getTemplateByTag(base.slice(0, dot), program);
    const member = template && template._members.find((one) => one.name === base.slice(dot + 1));
    return Boolean(member) && !member.type.structure && member.type.code === BIT_STRING;
}

function tagOf(full, count = 1) {
    const [program, name] = scoped(full);
    const list = plc.state.tagList;
    if (list.getTemplateByTag(name, program)) {
        return new Structure(name, list, program, null, 0, count > 1 ? 1 : 0, count);
    }
    if (!isBits(name, program)) return new Tag(name, program, null, 0, 0, count);
    if (name.endsWith("]")) return new Tag(name, program, BIT_STRING);
    return new Tag(name, program, null, 0, 1, Math.ceil(count / 32));
}

function groupOf(tags) {
    const group = new TagGroup();
    tags.forEach((one) => group.add(one));
    return group;
}

// A value without the hidden octets that hold the BOOL members of structures.
function shown(value) {
    if (Array.isArray(value)) return value.map(shown);
    if (value === null || typeof value !== "object") return value;
    const members = Object.entries(value).filter(([name]) => !name.startsWith("ZZZZZZZZZZ"));
    return Object.fromEntries(members.map(([name, one]) => [name, shown(one)]));
}

const CALLS = {
    async open() {
        await plc.connect("127.0.0.1", slot === "-" ? Buffer.alloc(0) : Number(slot));
    },
    async identity() {
        const { name, serial_number, version } = plc.properties;
        return { name, serial: serial_number, version };
    },
    async tags() {
        return plc.tagList.map(({ name, program, type }) => [program, name, type.typeName, type.arrayDims]);
    },
    async programs() {
        return plc.state.tagList.programs;
    },
    async read(name, count) {
        const tag = tagOf(name, count);
        await plc.readTag(tag);
        return shown(tag.value);
    },
    async write(name, value) {
        const tag = tagOf(name, Array.isArray(value) ? value.length : 1);
        await plc.readTag(tag); // it learns the type
        tag.value = value;
        await plc.writeTag(tag);
    },
    async readMany(...names) {
        const tags = names.map((one) => tagOf(one));
        await plc.readTagGroup(groupOf(tags));
        return tags.map((one) => shown(one.value));
    },
    async writeMany(...pairs) {
        const tags = pairs.map(([name]) => tagOf(name));
        const group = groupOf(tags);
        await plc.readTagGroup(group);
        pairs.forEach(([, value], at) => (tags[at].value = value));
        await plc.writeTagGroup(group);
    },
    async clock() {
        await plc.readWallClock();
        return plc.state.controller.time.getTime() * 1000;
    },
    async setClock() {
        await plc.writeWallClock();
    },
    async close() {
        await plc.disconnect();
    },
};

function told(error) {
    if (error instanceof Error) return error.message;
    return JSON.stringify(error, (key, value) => (key === "ext" ? undefined : value));
}

function outgoing(key, value) {
    return typeof value === "bigint" ? { int: value.toString() } : value;
}

function incoming(key, value) {
    return value !== null && typeof value === "object" && typeof value.int === "string" ? BigInt(value.int) : value;
}

async function main() {
    for await (const line of require("readline").createInterface({ input: process.stdin })) {
        const asked = JSON.parse(line, incoming);
        let answer;
        try {
            answer = { value: (await CALLS[asked.call](...asked.with)) ?? null };
        } catch (error) {
            answer = { error: told(error) };
            // A request that failed leaves its listener, which would take the reply to the next one for its own.
            EVENTS.forEach((one) => plc.removeAllListeners(one));
        }
        process.stdout.write(`${JSON.stringify(answer, outgoing)}\n`);
        if (asked.call === "close") break;
    }
    process.exit(0); // the library leaves timers behind
}

main();
