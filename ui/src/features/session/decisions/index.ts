export { DecisionCard } from "./DecisionCard";
