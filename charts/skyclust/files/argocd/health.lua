-- How well an object of SkyClust is, for Argo CD: the same for every kind, since all write the same conditions. It tells in the order in
-- which things matter: stopped on purpose, waiting for a person, failed, under way, well. Of what is being deleted Argo CD asks nobody.
local metadata = obj.metadata or {}
local status = obj.status or {}
local found = {}
for _, condition in ipairs(status.conditions or {}) do
  found[condition.type] = condition
end

local function holds(type)
  return found[type] ~= nil and found[type].status == "True"
end

local function told(type)
  if found[type] == nil or found[type].message == nil or found[type].message == "" then
    return nil
  end
  return (found[type].reason or type) .. ": " .. found[type].message
end

local hs = {}
if holds("Paused") or (metadata.annotations or {})["skyclust.io/paused"] == "true" then
  hs.status = "Suspended"
  hs.message = told("Paused") or "The annotation skyclust.io/paused stops all action; remove it to go on."
elseif status.observedGeneration == nil or status.observedGeneration ~= metadata.generation then
  hs.status = "Progressing"
  hs.message = "The controller has not acted on it yet."
elseif status.phase == "AwaitingApproval" then
  hs.status = "Suspended"
  hs.message = told("Ready") or "The plan waits for its approval."
elseif holds("Stalled") then
  hs.status = "Degraded"
  hs.message = told("Stalled")
elseif holds("Ready") then
  hs.status = "Healthy"
  hs.message = told("Ready")
else
  hs.status = "Progressing"
  hs.message = told("Ready")
end
return hs
