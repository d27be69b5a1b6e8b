// OpenAI's own JavaScript SDK: responses whole, streamed, continued, in the background, cancelled, listed, deleted.
//   node responses.mjs <base url> <key>
import OpenAI from "openai";

const [baseURL, apiKey] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const input = "Die Stadt hat ein neues Bad. Es öffnet am Montag. Der Eintritt kostet vier Euro.";
const model = "summary";

const whole = await client.responses.create({ model, input });
const stream = client.responses.stream({ model, input });
const kinds = [];
for await (const event of stream) kinds.push(event.type);
const streamed = await stream.finalResponse();
const next = await client.responses.create({ model, input, previous_response_id: whole.id });
const items = [];
for await (const item of client.responses.inputItems.list(next.id, { order: "asc", limit: 2 })) items.push(item.role);
const begun = await client.responses.create({ model, input, background: true, stream: true });
const told = [];
for await (const event of begun) told.push(event.type);
const kept = await client.responses.retrieve(whole.id);
await client.responses.delete(whole.id);
const failed = {};
for (const [name, call] of Object.entries({
  gone: () => client.responses.retrieve(whole.id),
  model: () => client.responses.create({ model: "sumary", input }),
  cancel: () => client.responses.cancel(next.id),
})) {
  try {
    await call();
  } catch (error) {
    failed[name] = { kind: error.constructor.name, status: error.status, code: error.code };
  }
}
console.log(
  JSON.stringify({
    text: whole.output_text,
    streamed: streamed.output_text,
    kept: kept.output_text,
    usage: whole.usage,
    kinds,
    told,
    items,
    failed,
  }),
);
