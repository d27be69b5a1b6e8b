// OpenAI's own JavaScript SDK: models, a chat, the same streamed, structured output, and errors.
//   node openai.mjs <base url> <key>
import OpenAI from "openai";

const [baseURL, apiKey] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const content = "Die Stadt hat ein neues Bad. Es öffnet am Montag. Der Eintritt kostet vier Euro.";
const messages = [{ role: "user", content }];

const models = [];
for await (const model of client.models.list()) models.push(model.id);
const whole = await client.chat.completions.create({ model: "summary", messages });
const stream = client.chat.completions.stream({ model: "summary", messages, stream_options: { include_usage: true } });
let pieces = 0;
for await (const chunk of stream) pieces += chunk.choices[0]?.delta?.content ? 1 : 0;
const streamed = await stream.finalChatCompletion();
const structured = await client.chat.completions.create({ model: "summary", messages, response_format: { type: "json_object" } });
const conversation = [{ role: "developer", content: "Answer in English." }, { role: "user", content: "Hallo" }, { role: "assistant", content: "Guten Tag" }, ...messages];
const later = await client.chat.completions.create({ model: "summary", messages: conversation });
const request = [{ role: "user", content: `Fasse diesen Text zusammen: ${content}` }];
const told = client.chat.completions.stream({ model: "chat", messages: request, partitur: { progress: true } });
const progress = [];
for await (const chunk of told) if (chunk.partitur?.progress) progress.push(chunk.partitur.progress.state);
const text = (await told.finalChatCompletion()).choices[0].message.content;
const plain = (await client.chat.completions.create({ model: "chat", messages: request })).choices[0].message.content;
const other = { type: "json_schema", json_schema: { name: "other", schema: { type: "object", properties: { town: { type: "string" } }, required: ["town"] } } };
const failed = {};
for (const [name, call] of Object.entries({
  model: () => client.chat.completions.create({ model: "sumary", messages }),
  empty: () => client.chat.completions.create({ model: "summary", messages: [] }),
  schema: () => client.chat.completions.create({ model: "summary", messages, response_format: other }),
  path: () => client.get("/nothing"),
  method: () => client.delete("/chat/completions"),
  twice: () => client.post("/chat/completions", { body: `{"model": "summary", "model": "chat"}`, headers: { "Content-Type": "application/json" } }),
  key: () => new OpenAI({ baseURL, apiKey: "pt-wrong", maxRetries: 0 }).models.list(),
})) {
  try {
    await call();
  } catch (error) {
    failed[name] = { kind: error.constructor.name, status: error.status, message: error.message, param: error.param, id: error.requestID };
  }
}
console.log(
  JSON.stringify({
    models,
    text: whole.choices[0].message.content,
    usage: whole.usage,
    commit: whole.partitur.prompt_commit,
    pieces,
    streamed: streamed.choices[0].message.content,
    streamedUsage: streamed.usage,
    later: later.choices[0].message.content,
    progress,
    undisturbed: text === plain,
    structured: JSON.parse(structured.choices[0].message.content),
    failed,
  }),
);
