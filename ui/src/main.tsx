import "./styles/fonts.css";
import "./styles/base.css";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app/App";
import { recoverFromMissingParts } from "./app/recover";
import { startWorker } from "./app/worker";
import { applyAppearance } from "./data/prefs";

recoverFromMissingParts();
applyAppearance();
startWorker();

const root = document.getElementById("root");
if (!root) throw new Error("the page has no root element");
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
