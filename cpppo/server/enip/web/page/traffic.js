// Requests a second and how long they take, over the last minutes.

import { chart, recent } from "./chart.js";
import { byId } from "./dom.js";
import { polled } from "./poll.js";
import { get } from "./server.js";
import { brief, latency } from "./values.js";

let samples = [];

export function startTraffic() {
  const charts = [
    chart(byId("rate"), {
      name: "Requests a second",
      read: (one) => one.requests,
      text: (value) => `${brief(Math.round(value))}/s`,
      least: 10,
      output: byId("rate-now"),
    }),
    chart(byId("latency"), {
      name: "Time for a request",
      read: (one) => one.latency,
      text: latency,
      least: 1e-5,
      output: byId("latency-now"),
    }),
  ];
  polled(async () => {
    const got = await get("rates", { since: samples.at(-1)?.time ?? 0 });
    samples = recent(samples, got.samples);
    for (const show of charts) show(samples);
  }, byId("traffic"));
}
