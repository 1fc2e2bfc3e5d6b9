import { Check, Circle, SquareArrowOutUpRight } from "lucide-react";
import type { ReactNode } from "react";
import { Button, CopyButton, Icon, cx } from "@/ui";
import { number, object, text, words } from "@/transcript/json";
import { languageOfPath } from "@/transcript/highlight";
import { plainText, type ResultBlock } from "@/transcript/message";
import type { ToolItem } from "@/transcript/model";
import { useOpenSession } from "../context";
import { Markdown } from "../log/Markdown";
import { Coloured } from "../log/CodeBlock";
import { SafeLink, splitPath } from "../log/links";
import { useHighlight } from "../log/useHighlight";
import { editDiff, writtenDiff } from "./changes";
import { agentTasks, answersOf, kindOf, pathOf, questionsOf, todosOf } from "./describe";
import { DiffView } from "./DiffView";
import { JsonTree } from "./JsonTree";
import { Output } from "./Output";
import { Pictures } from "./Pictures";
import { PlanSteps } from "./PlanSteps";
import { TodoList } from "./TodoList";

/** What opens below a tool's line. */
export default function ToolBody({ item }: { item: ToolItem }): ReactNode {
  switch (kindOf(item.name)) {
    case "bash":
      return <BashBody item={item} />;
    case "read":
      return <ReadBody item={item} />;
    case "edit":
      return <EditBody item={item} />;
    case "write":
      return <WriteBody item={item} />;
    case "search":
      return <SearchBody item={item} />;
    case "todo":
      return <TodoBody item={item} />;
    case "question":
      return <QuestionBody item={item} />;
    case "plan":
      return <PlanBody item={item} />;
    case "agent":
      return <AgentBody item={item} />;
    case "web-fetch":
    case "web-search":
      return <WebBody item={item} />;
    case "list":
    case "shells":
      return <Result content={item.content} />;
    default:
      return <GenericBody item={item} />;
  }
}

/** Text and pictures of a result. */
function Result({ content, markdown = false }: { content: readonly ResultBlock[]; markdown?: boolean }) {
  const images = content.flatMap((block) => (block.kind === "image" ? block.image : []));
  const output = plainText(content);
  return (
    <>
      {output !== "" && (markdown ? <Markdown text={output} /> : <Output text={output} label="Result" />)}
      {images.length > 0 && <Pictures images={images} />}
      {output === "" && images.length === 0 && <p className="card-note">No result</p>}
    </>
  );
}

function BashBody({ item }: { item: ToolItem }) {
  const command = text(item.args["command"]) ?? "";
  const details = object(item.details);
  const exit = number(details?.["exitCode"]);
  const full = words(details?.["fullOutputPath"]);
  const lines = useHighlight(command, "bash");
  return (
    <>
      <div className="command">
        <pre tabIndex={0}>
          <span className="command-prompt" aria-hidden="true">
            $
          </span>
          <code>
            <Coloured code={command} lines={lines} />
          </code>
        </pre>
        <CopyButton text={command} label="Copy command" />
      </div>
      {item.content.length > 0 && <Result content={item.content} />}
      {item.content.length === 0 && item.state !== "running" && item.state !== "preparing" && <p className="card-note">No output</p>}
      {((exit !== null && exit !== 0) || full) && (
        <p className="card-note">
          {exit !== null && exit !== 0 && <span className="text-fail">Exit code {exit}</span>}
          {exit !== null && exit !== 0 && full && " · "}
          {full && `The whole output is in ${full}`}
        </p>
      )}
    </>
  );
}

function OpenFile({ path, line }: { path: string; line?: number | undefined }) {
  const { openFile } = useOpenSession();
  return (
    <Button kind="quiet" size="sm" icon={SquareArrowOutUpRight} onClick={() => openFile(path, line)}>
      Open file
    </Button>
  );
}

function ReadBody({ item }: { item: ToolItem }) {
  const path = pathOf(item.args) ?? "";
  const hasImage = item.content.some((block) => block.kind === "image");
  const output = plainText(item.content);
  const lines = useHighlight(output, languageOfPath(path), !hasImage && output.split("\n").length <= 400);
  if (hasImage || item.state === "failed") return <Result content={item.content} />;
  if (output === "") return <p className="card-note">{item.state === "done" ? "The file is empty" : "Nothing read yet"}</p>;
  return (
    <>
      {lines ? (
        <div className="output">
          <CopyButton text={output} label="Copy text" className="output-copy" />
          <pre tabIndex={0} className="output-all">
            <Coloured code={output} lines={lines} />
          </pre>
        </div>
      ) : (
        <Output text={output} label={path} />
      )}
      <OpenFile path={path} line={number(item.args["offset"]) ?? undefined} />
    </>
  );
}

function EditBody({ item }: { item: ToolItem }) {
  const path = pathOf(item.args);
  const diff = editDiff(item);
  const failed = item.state === "failed";
  return (
    <>
      {failed && <Result content={item.content} />}
      {diff ? <DiffView diff={diff} path={path} maySplit /> : !failed && <Result content={item.content} />}
      {path && <OpenFile path={path} line={number(object(item.details)?.["firstChangedLine"]) ?? undefined} />}
    </>
  );
}

function WriteBody({ item }: { item: ToolItem }) {
  const path = pathOf(item.args);
  const diff = writtenDiff(item);
  return (
    <>
      {item.state === "failed" && <Result content={item.content} />}
      {diff && <DiffView diff={diff} path={path} />}
      {path && <OpenFile path={path} />}
    </>
  );
}

const HIT = /^(.+?):(\d+): ?(.*)$/;

function SearchBody({ item }: { item: ToolItem }) {
  const { openFile } = useOpenSession();
  const output = plainText(item.content);
  const hits = output.split("\n").flatMap((line) => {
    const match = HIT.exec(line);
    return match ? [{ path: match[1] ?? "", line: Number(match[2]), text: match[3] ?? "" }] : [];
  });
  if (hits.length === 0 || item.state !== "done") {
    const files = item.name.toLowerCase() === "grep" ? [] : output.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("[") && !line.startsWith("No "));
    if (files.length === 0 || files.length > 200 || item.state !== "done") return <Result content={item.content} />;
    return (
      <ul className="hits">
        {files.map((path) => (
          <li key={path}>
            <button type="button" className="hit" onClick={() => openFile(splitPath(path).path)}>
              <code>{path}</code>
            </button>
          </li>
        ))}
      </ul>
    );
  }
  const groups = new Map<string, typeof hits>();
  for (const hit of hits.slice(0, 200)) groups.set(hit.path, [...(groups.get(hit.path) ?? []), hit]);
  return (
    <div className="hits">
      {[...groups].map(([path, lines]) => (
        <section key={path}>
          <h4>
            <code>{path}</code>
          </h4>
          {lines.map((hit) => (
            <button key={hit.line} type="button" className="hit" onClick={() => openFile(path, hit.line)}>
              <span className="hit-line">{hit.line}</span>
              <code className="truncate">{hit.text.trim()}</code>
            </button>
          ))}
        </section>
      ))}
      {hits.length > 200 && <p className="card-note">{hits.length - 200} more are not shown</p>}
    </div>
  );
}

function TodoBody({ item }: { item: ToolItem }) {
  return <TodoList todos={todosOf(item.args)} />;
}

function QuestionBody({ item }: { item: ToolItem }) {
  const questions = questionsOf(item.args);
  const answers = answersOf(item);
  return (
    <div className="flex flex-col gap-3">
      {questions.map((entry, index) => {
        const answer = answers?.[index] ?? null;
        const listed = answer !== null && entry.options.some((option) => option === answer);
        return (
          <div key={index}>
            <p className="font-medium text-text">{entry.question}</p>
            <ul className="mt-1 flex flex-col gap-0.5">
              {entry.options.map((option) => {
                const chosen = answer !== null && (option === answer || answer.split(/,\s*|\n/).includes(option));
                return (
                  <li key={option} className={cx("flex items-center gap-2", chosen ? "text-text" : "text-text-3")}>
                    <Icon icon={chosen ? Check : Circle} size={14} />
                    {option}
                    {chosen && <span className="sr-only">(chosen)</span>}
                  </li>
                );
              })}
            </ul>
            {answer !== null && !listed && <p className="mt-1 text-text">“{answer}”</p>}
          </div>
        );
      })}
      {answers === null && item.state !== "running" && item.state !== "preparing" && <p className="card-note">Not answered</p>}
    </div>
  );
}

function PlanBody({ item }: { item: ToolItem }) {
  const description = words(item.args["description"]);
  const steps = Array.isArray(item.args["steps"]) ? item.args["steps"] : [];
  const outcome = plainText(item.content);
  return (
    <>
      {description && <Markdown text={description} />}
      <PlanSteps steps={steps} />
      {outcome !== "" && <p className="card-note whitespace-pre-wrap">{outcome}</p>}
    </>
  );
}

function AgentBody({ item }: { item: ToolItem }) {
  return (
    <>
      <ul className="flex flex-col gap-2">
        {agentTasks(item.args).map((task, index) => (
          <li key={index} className="text-text-2">
            {task.agent && <span className="mr-2 font-medium text-text">{task.agent}</span>}
            {task.task}
          </li>
        ))}
      </ul>
      {item.content.length > 0 && <Result content={item.content} markdown />}
    </>
  );
}

function WebBody({ item }: { item: ToolItem }) {
  const url = words(item.args["url"]);
  return (
    <>
      {url && (
        <p>
          <SafeLink href={url}>{url}</SafeLink>
        </p>
      )}
      <Result content={item.content} markdown />
    </>
  );
}

function GenericBody({ item }: { item: ToolItem }) {
  return (
    <>
      {Object.keys(item.args).length > 0 && <JsonTree value={item.args} />}
      <Result content={item.content} />
    </>
  );
}
