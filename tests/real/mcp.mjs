// The official TypeScript client of MCP, over stdio or HTTP: lists everything, calls a tool, reads a prompt.
//   node mcp.mjs stdio <command>      node mcp.mjs http <url> <key>
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [kind, target, key] = process.argv.slice(2);
const transport =
  kind === "stdio"
    ? new StdioClientTransport({ command: target, args: ["mcp"], env: process.env, stderr: "ignore" })
    : new StreamableHTTPClientTransport(new URL(target), {
        requestInit: key ? { headers: { Authorization: `Bearer ${key}` } } : {},
      });
const client = new Client({ name: "someone-elses-client", version: "1.0.0" });
try {
  await client.connect(transport);
} catch (error) {
  console.log(JSON.stringify({ refused: String(error) }));
  process.exit(0);
}
const { tools } = await client.listTools();
const { prompts } = await client.listPrompts();
const progress = [];
const text = "Die Stadt hat ein neues Bad. Es öffnet am Montag. Der Eintritt kostet vier Euro.";
// The client itself checks the structured result against the tool's output schema.
const summary = await client.callTool({ name: "summary", arguments: { text } }, undefined, {
  onprogress: (each) => progress.push(each),
});
const wrong = await client.callTool({ name: "summary", arguments: { text: 7 } });
const prompt = await client.getPrompt({ name: "summary", arguments: { text } });
await client.close();
console.log(
  JSON.stringify({
    tools: tools.map((tool) => ({ name: tool.name, input: !!tool.inputSchema, output: !!tool.outputSchema })),
    prompts: prompts.map((each) => each.name),
    summary: summary.structuredContent,
    wrong: { failed: wrong.isError === true, text: wrong.content[0].text },
    prompt: prompt.messages[0].content.text,
  }),
);
