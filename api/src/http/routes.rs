//! Routes that cannot be added without saying what they hand out.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::handler::Handler;
use axum::http::request::Parts;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post, put};

use super::door::Caller;
use super::noting::Noted;
use super::state::AppState;
use crate::permission::Access;
use crate::problem::Problem;

/// One route, for the description of the interface and the tests of permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    pub method: &'static str,
    pub path: &'static str,
    pub access: Access,
}

/// The routes, each behind a guard of its own.
pub struct Routes {
    app: AppState,
    router: Router<AppState>,
    listed: Vec<Listed>,
}

impl Routes {
    /// No routes yet.
    pub fn new(app: AppState) -> Self {
        Self { app, router: Router::new(), listed: Vec::new() }
    }

    /// A route that reads.
    pub fn get<H, T>(self, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        self.add("get", path, access, get(handler))
    }

    /// A route that asks with a body, or changes something.
    pub fn post<H, T>(self, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        self.add("post", path, access, post(handler))
    }

    /// A route that takes something in under a name that the caller gives it.
    pub fn put<H, T>(self, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        self.add("put", path, access, put(handler))
    }

    fn add(mut self, method: &'static str, path: &'static str, access: Access, route: MethodRouter<AppState>) -> Self {
        let guard = from_fn_with_state((self.app.clone(), access), guard);
        self.router = self.router.route(path, route.route_layer(guard));
        self.listed.push(Listed { method, path, access });
        self
    }

    /// What was added, and the router itself.
    pub fn finish(self) -> (Vec<Listed>, Router<AppState>) {
        (self.listed, self.router)
    }
}

/// Finds out who asks and whether that caller may use the route at all.
async fn guard(State((app, access)): State<(AppState, Access)>, mut request: Request, next: Next) -> Response {
    if access == Access::Open {
        return next.run(request).await;
    }
    let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>().copied() else {
        return Problem::internal(&"the address of the caller is unknown").into_response();
    };
    let noted = Noted::of(&request, access);
    let caller = match app.door.caller(&app.deployment, peer, request.headers()) {
        Ok(caller) => caller,
        Err(problem) => return problem.into_response(),
    };
    if let Err(denied) = caller.permission.may(access) {
        return noted.note(&app, &caller, Problem::from(denied).into_response()).await;
    }
    request.extensions_mut().insert(caller.clone());
    let response = next.run(request).await;
    noted.note(&app, &caller, response).await
}

/// Handlers take the caller as an argument; behind an open route there is none.
impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| Problem::internal(&"a handler asked for the caller behind an open route"))
    }
}
